"""DNA and base64 for the planted documents, with the structure of real sequences."""

import base64
import itertools
import json
import struct
import textwrap
import zlib
from random import Random

# Codons of human genes with rounded frequencies per thousand (Codon Usage Database, Homo sapiens), stop codons apart.
CODONS = dict(
    item.split(":")
    for item in (
        "TTT:18 TTC:20 TTA:8 TTG:13 TCT:15 TCC:18 TCA:12 TCG:4 TAT:12 TAC:15 TGT:11 TGC:13 TGG:13 CTT:13 CTC:20 CTA:7 "
        "CTG:40 CCT:18 CCC:20 CCA:17 CCG:7 CAT:11 CAC:15 CAA:12 CAG:34 CGT:5 CGC:10 CGA:6 CGG:11 ATT:16 ATC:21 ATA:8 "
        "ATG:22 ACT:13 ACC:19 ACA:15 ACG:6 AAT:17 AAC:19 AAA:24 AAG:32 AGT:12 AGC:20 AGA:12 AGG:12 GTT:11 GTC:15 "
        "GTA:7 GTG:28 GCT:18 GCC:28 GCA:16 GCG:7 GAT:22 GAC:25 GAA:29 GAG:40 GGT:11 GGC:22 GGA:17 GGG:17"
    ).split()
)
CODON_SUMS = tuple(itertools.accumulate(map(int, CODONS.values())))
NEXT_BASE = {  # the percentage of each base after A, C, G, T: few CG, as in vertebrate genomes
    before: "A" * a + "C" * c + "G" * g + "T" * t
    for before, (a, c, g, t) in {
        "A": (33, 17, 24, 26), "C": (35, 26, 5, 34), "G": (29, 21, 26, 24), "T": (22, 20, 25, 33),
    }.items()
}  # fmt: skip
STOPS = ("TAA", "TAG", "TGA")
MOTIFS = ("TATAAA", "GAATTC", "GGATCC", "AAGCTT", "CCAAT", "GGGCGG", "CACGTG", "GCCACCATGG", "TTGACA", "TATAAT")
REPEATS = ("CA", "GT", "CAG", "GATA", "A", "TTAGGG", "AT")


def _noncoding(random: Random, length: int) -> str:
    """A first-order Markov chain."""
    sequence = random.choice("ACGT")
    while len(sequence) < length:
        sequence += random.choice(NEXT_BASE[sequence[-1]])
    return sequence


def _gene(random: Random, n_codons: int) -> str:
    codons = random.choices(tuple(CODONS), cum_weights=CODON_SUMS, k=n_codons)
    return "ATG" + "".join(codons) + random.choice(STOPS)


def dna(random: Random, n_characters: int) -> str:
    """`n_characters` upper-case bases: genes, spacers, motifs, repeats, poly-A tails, in random order."""
    parts = []
    length = 0
    while length < n_characters:
        part = random.choice(
            (
                _gene(random, random.randint(15, 90)),
                _noncoding(random, random.randint(20, 150)),
                random.choice(MOTIFS) + _noncoding(random, random.randint(8, 30)),
                random.choice(REPEATS) * random.randint(4, 12),
                "AATAAA" + _noncoding(random, 15) + "A" * random.randint(8, 25),
            )
        )
        parts.append(part)
        length += len(part)
    return "".join(parts)[:n_characters]


def wrap(text: str, width: int) -> str:
    """Cut into lines of `width` characters."""
    return "\n".join(text[start : start + width] for start in range(0, len(text), width))


def payload(random: Random, n_bytes: int, prose: str) -> bytes:
    """Bytes as people encode them: prose, JSON, compressed prose, an image's header and data, numbers, a key."""
    words = prose.split()
    row = {"id": random.randint(1, 10**6), "user": random.choice(words), "active": True, "note": prose[: n_bytes - 60]}
    plain = (prose * (n_bytes // len(prose) + 1))[random.randrange(8) :]
    image = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">IIBBBBB", 16, 16, 8, 6, 0, 0, 0)
    made = random.choice(
        (
            plain.encode(),
            json.dumps(row).encode(),
            zlib.compress(plain.encode(), 9),
            image,
            struct.pack("<16f", *(random.gauss(0, 1) for _ in range(16))),
            b"\x30\x82" + random.randbytes(60),
            b"",
        )
    )
    return (made + random.randbytes(max(0, n_bytes - len(made))))[:n_bytes]


def base64_text(random: Random, n_characters: int, prose: str) -> str:
    """About `n_characters` of base64 on one line, with its padding."""
    return base64.b64encode(payload(random, max(3, n_characters * 3 // 4), textwrap.shorten(prose, 4000))).decode()

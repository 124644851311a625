#!/usr/bin/env bash
# requirements.in -> requirements.lock and monosem.yaml; bench.in -> bench.lock, cluster.in -> cluster.lock: one exact version of everything, for Python 3.11 to 3.13 on
# Linux and macOS. Arguments go to uv, e.g. `envs/lock.sh --upgrade-package numpy`; without any, pins stay as they are.
set -euo pipefail
cd "$(dirname "$0")"

uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --no-annotate --no-header \
  --output-file requirements.lock "$@" requirements.in

# Left out: what torch asks for where there is a CUDA card (pip adds it by itself where the wheel of torch needs it),
# and what is for other systems only.
kept=$(grep -vE "^(nvidia-|cuda-|triton==)|sys_platform == '(win32|emscripten)'|implementation_name == 'pypy'" \
  requirements.lock | sed -E "s/ (;|and) sys_platform != '(emscripten|win32)'//g")

# The peers of `make bench`: without torchvision, which one of them asks for and no one uses; its only build that pip
# finds beside a CPU build of torch is for CUDA and breaks the import of transformers.
uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --no-annotate --no-header \
  --constraint requirements.lock --output-file bench.lock "$@" bench.in
bench=$(grep -vE "^(nvidia-|cuda-|triton==|torchvision==)|sys_platform == '(win32|emscripten)'|^#" bench.lock \
  | sed -E "s/ (;|and) sys_platform != '(emscripten|win32)'//g")
printf '# Made from bench.in by envs/lock.sh; installed without dependencies, after torch.\n%s\n' "$bench" > bench.lock

# What `make cluster-test` adds: python-dateutil and pandas stay as they are here, whatever the plugins ask for.
uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --no-annotate --no-header \
  --constraint <(grep -vE '^(python-dateutil|pandas)==' requirements.lock) --output-file cluster.lock "$@" cluster.in
more=$(grep -vE "sys_platform == '(win32|emscripten)'|^#" cluster.lock \
  | grep -vE "^($(cut -d= -f1 <<< "$kept" | paste -sd'|'))==")
printf '# Made from cluster.in by envs/lock.sh; installed without dependencies, beside requirements.lock.\n%s\n' "$more" \
  > cluster.lock

printf '# Made from requirements.in by envs/lock.sh; see README.md here.\n%s\n' "$kept" > requirements.lock
{
  cat << 'END'
# The environment of every rule under --sdm conda: the pins of requirements.lock. Made by envs/lock.sh.
channels:
  - conda-forge
  - nodefaults
dependencies:
  - python =3.12
  - pip
  - pip:
END
  sed 's/.*/      - "&"/' <<< "$kept"
} > monosem.yaml

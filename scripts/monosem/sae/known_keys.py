"""Keys of the configuration files of other libraries: used here, or known not to change what the weights mean.

Collected from the declarations of all versions of SAELens to 6.54, sparsify to 1.3 and dictionary_learning to 0.1.
"""

import difflib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from scripts.monosem.core.artefacts import ArtefactError

USED = {
    "SAELens": """architecture d_in d_sae k activation_fn activation_fn_kwargs apply_b_dec_to_input
        normalize_activations reshape_activations finetuning_scaling_factor rescale_acts_by_decoder_norm metadata
        model_name hook_name hook_head_index model_from_pretrained_kwargs context_size hook_name_out""",
    "dictionary_learning": "trainer buffer",
    "dictionary_learning: trainer": "dict_class activation_dim dict_size k lm_name submodule_name",
    "dictionary_learning: buffer": "io",
    "sparsify": "activation d_in num_latents expansion_factor k signed skip_connection transcode",
}
METADATA = (  # of SAELens 6, from which the others only describe
    "model_name", "hook_name", "hook_name_out", "hook_head_index", "model_from_pretrained_kwargs", "context_size",
    "model_sha256", "training", "training_architecture",
)  # fmt: skip
_FILE = "the file itself says it: dtypes and shapes are read from the weights"
_TRAINING = "of training, which is over"
_DATA = "of the text and how it was read"
_MODEL = "of how the model was run, beside its name and its processing"
_LOG = "of logs, checkpoints and releases"
IRRELEVANT = {  # library -> reason -> keys
    "SAELens": {
        _FILE: "dtype device d_out expansion_factor",
        _TRAINING: """adam_beta1 adam_beta2 autocast aux_loss_coefficient b_dec_init_method dead_feature_threshold
            dead_feature_window dead_feature_estimation_method decoder_heuristic_init decoder_heuristic_init_norm
            decoder_init_norm decoder_orthogonal_init feature_reinit_scale feature_sampling_method
            feature_sampling_window finetuning_method finetuning_tokens from_pretrained_path
            init_encoder_as_decoder_transpose jumprelu_bandwidth jumprelu_init_threshold jumprelu_sparsity_loss_mode
            jumprelu_ste_to_input jumprelu_tanh_scale l0_coefficient l0_warm_up_steps l1_coefficient l1_warm_up_steps
            lp_norm lr lr_decay_steps lr_end lr_scheduler_name lr_warm_up_steps matryoshka_widths mse_loss_normalization
            n_batches_in_buffer n_restart_cycles noise_scale normalize_sae_decoder pre_act_loss_coefficient
            resample_batches scale_sparsity_penalty_by_decoder_norm seed topk_threshold_lr total_training_samples
            total_training_tokens train_batch_size train_batch_size_samples train_batch_size_tokens training_tokens
            use_ghost_grads use_sparse_activations compile_sae sae_compilation_mode target_l0
            use_matryoshka_aux_loss""",
        _DATA: """cached_activations_path dataset_path dataset_trust_remote_code disable_concat_sequences
            exclude_special_tokens is_dataset_tokenized prepend_bos seqpos_slice sequence_separator_token
            store_batch_size store_batch_size_prompts streaming tokens_per_buffer use_cached_activations""",
        _MODEL: """act_store_device autocast_lm compile_llm hook_layer hook_point_layer llm_compilation_mode
            model_batch_size model_class_name model_kwargs""",
        _LOG: """checkpoint_path eval_batch_size_prompts eval_every_n_wandb_logs hook_eval hook_point_eval
            log_activations_store_to_wandb log_optimizer_state_to_wandb log_to_wandb logger n_checkpoints
            n_eval_batches n_eval_seqs neuronpedia_id output_path resume resume_from_checkpoint run_name sae_id
            sae_lens_training_version sae_lens_version save_final_checkpoint verbose wandb_entity wandb_id
            wandb_log_frequency wandb_project""",
    },
    "dictionary_learning: trainer": {
        _TRAINING: """activation_queue_length adaptive_sparsity_penalty anneal_start auxk_alpha bandwidth decay_start
            device gp_reg_coeff group_fractions group_sizes group_weights k_anneal_steps l0_penalty l1_penalty
            lambda_warm_steps lr n_sparsity_updates p_end p_start resample_steps seed sparsity_coefficient
            sparsity_function sparsity_loss_queue_length sparsity_penalty sparsity_queue_length sparsity_warmup_steps
            steps steps_before_annealing target_l0 threshold_beta threshold_start_step top_k_aux trainer_class
            warmup_steps weights_temperature""",
        "divided out of the biases when they were saved": "norm_factor",
        _MODEL: "layer",
        _LOG: "wandb_name",
    },
    "dictionary_learning: buffer": {
        _DATA: "ctx_len d_submodule device layer n_ctxs out_batch_size refresh_batch_size",
    },
    "sparsify": {_TRAINING: "multi_topk normalize_decoder"},
}


def require(keys: Collection[str], library: str, path: Path) -> None:
    """Raises: ArtefactError naming the first key that is neither used nor known not to matter."""
    used = USED[library].split()
    known = {*used, *(key for listed in IRRELEVANT.get(library, {}).values() for key in listed.split())}
    for key in keys:
        if key not in known:
            close = difflib.get_close_matches(key, used, n=1, cutoff=0.7)
            hint = f"did you mean '{close[0]}'?" if close else "if it does not, take it out of a copy of the file"
            raise ArtefactError(
                f"{path}: '{key}' is no known key of {library} and may change what the weights mean; {hint}"
            )


def require_spelt(metadata: Mapping[str, Any], path: Path) -> None:
    """Raises: ArtefactError for a key that is nearly one of those used: metadata has room for any others."""
    for key in metadata:
        if key not in METADATA and (close := difflib.get_close_matches(key, METADATA, n=1, cutoff=0.87)):
            raise ArtefactError(f"{path}: metadata.{key} is no known key; did you mean '{close[0]}'?")

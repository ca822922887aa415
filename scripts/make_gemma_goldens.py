#!/usr/bin/env python3
"""Writes tests/golden/gemma2, gemma3, gemma3-images and gemma3-gguf: tiny Gemmas with random weights, and the outputs of transformers for them.

gemma3-images is the language model of a checkpoint that reads images, too. gemma3-gguf is written as llama.cpp's converter writes it: norms
as 1 + w, no padding rows; its tokenizer is a SentencePiece model, whose own library is the oracle. Windows are shorter than the longest texts,
and caps low enough to matter.

Needs torch, transformers, accelerate, tokenizers, sentencepiece, gguf. Run it again only to change the inputs.
"""
import argparse
import io
import json

import numpy as np
import sentencepiece
import torch
from transformers import (AutoModelForCausalLM, Gemma2Config, Gemma2ForCausalLM, Gemma3Config, Gemma3ForCausalLM, Gemma3ForConditionalGeneration,
                          Gemma3TextConfig, GemmaTokenizer)

from make_goldens import DECODER_FLOORS, GOLDEN, SENTENCES, rounded, write
from make_tokenizer_goldens import TEMPLATES
from tokenizer_families import gemma

WINDOW = 12
GREEDY_TOKENS = 24
SHAPE = dict(hidden_size=32, num_attention_heads=4, num_key_value_heads=2, head_dim=16, intermediate_size=48, max_position_embeddings=256,
             sliding_window=WINDOW, attn_implementation="eager")
FULL_ROPE = {"rope_type": "linear", "rope_theta": 1e6, "factor": 8.0}
ROPES = {"full_attention": FULL_ROPE, "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}}


def randomise(model, seed):
    """Weights of a size that makes every part matter."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_((0.3 if name.endswith("norm.weight") else 0.2) * torch.randn_like(p))
            if "post_" in name:
                p.add_(2)  # or the layers would add too little to change the next token
    model.tie_weights()
    return model.eval()


def outputs(model, vocab, checkpoint):
    cases = []
    for seed, length in ((0, 1), (1, 5), (2, 40), (3, 100)):
        ids = np.random.default_rng(seed).integers(0, vocab, length).tolist()
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([ids])).logits[0]
            # With a mask, or it would guess one from the ids that are those of padding.
            greedy = model.generate(torch.tensor([ids]), attention_mask=torch.ones(1, length, dtype=torch.long), max_new_tokens=GREEDY_TOKENS,
                                    do_sample=False, eos_token_id=None, pad_token_id=0)[0]
        cases.append({"ids": ids, "last_logits": rounded(logits[-1]), "argmax": logits.argmax(-1).tolist(), "greedy": greedy[length:].tolist()})
    # The rounding of random weights adds up over more layers than other goldens have; libtorch on the rounded weights comes no nearer.
    floors = DECODER_FLOORS | ({"int4": 0.75} if model.config.get_text_config().num_hidden_layers > 3 else {})
    return {"kind": "decoder", "checkpoint": checkpoint, "floors": floors, "cases": cases}


def tokenizer():
    made = gemma(SENTENCES * 3, 60)
    made.add_special_tokens(["<start_of_turn>", "<end_of_turn>"])
    wrapped = GemmaTokenizer(tokenizer_object=made)
    wrapped.chat_template = TEMPLATES["gemma"]
    return wrapped


def save(name, model, text_model, words):
    model.save_pretrained(GOLDEN / name)
    words.save_pretrained(GOLDEN / name)
    write(GOLDEN / name, outputs(text_model, len(words), "."))


def gemma2(words):
    config = Gemma2Config(vocab_size=len(words), num_hidden_layers=2, query_pre_attn_scalar=20, attn_logit_softcapping=3.0,
                          final_logit_softcapping=6.0, **SHAPE)
    model = randomise(Gemma2ForCausalLM(config), 21)
    save("gemma2", model, model, words)


def gemma3_config(words):
    return Gemma3TextConfig(vocab_size=len(words), num_hidden_layers=3, sliding_window_pattern=3, query_pre_attn_scalar=20, rope_parameters=ROPES,
                            **SHAPE)


def gemma3(words):
    model = randomise(Gemma3ForCausalLM(gemma3_config(words)), 22)
    save("gemma3", model, model, words)


def gemma3_images(words):
    """With a tower of images, of which nothing is read."""
    tower = dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14)
    text = gemma3_config(words)
    text.num_hidden_layers, text.layer_types = 2, ["sliding_attention", "full_attention"]
    config = Gemma3Config(text_config=text, vision_config=tower, mm_tokens_per_image=1, attn_implementation="eager",
                          image_token_index=len(words) - 1, boi_token_index=len(words) - 2, eoi_token_index=len(words) - 3)
    model = randomise(Gemma3ForConditionalGeneration(config), 23)
    save("gemma3-images", model, model, words)


# --- GGUF -------------------------------------------------------------------------------------------------------------

def train_sentencepiece():
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 20), model_writer=model, model_type="bpe", vocab_size=340, byte_fallback=True, character_coverage=0.98,
        add_dummy_prefix=False, remove_extra_whitespaces=False, normalization_rule_name="identity", pad_id=0, eos_id=1, bos_id=2, unk_id=3,
        control_symbols=["<start_of_turn>", "<end_of_turn>"], user_defined_symbols=["\n\n", "\u2581\u2581"], hard_vocab_limit=False, minloglevel=2)
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def add_vocabulary(writer, pieces):
    import gguf
    count = pieces.get_piece_size()
    kinds = [gguf.TokenType.UNKNOWN if pieces.is_unknown(i) else gguf.TokenType.CONTROL if pieces.is_control(i) else gguf.TokenType.UNUSED
             if pieces.is_unused(i) else gguf.TokenType.BYTE if pieces.is_byte(i) else gguf.TokenType.NORMAL for i in range(count)]
    texts = [pieces.id_to_piece(i) for i in range(count)]
    for i, text in enumerate(texts):
        if text in ("\n\n", "\u2581\u2581"):  # user-defined: the converter writes them with spaces
            kinds[i], texts[i] = gguf.TokenType.USER_DEFINED, text.replace("\u2581", " ")
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(texts)
    writer.add_token_scores([pieces.get_score(i) for i in range(count)])
    writer.add_token_types(kinds)
    writer.add_bos_token_id(2)
    writer.add_eos_token_id(1)
    writer.add_unk_token_id(3)
    writer.add_pad_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(TEMPLATES["gemma"])


NAMES = {"input_layernorm": "attn_norm", "post_attention_layernorm": "post_attention_norm", "pre_feedforward_layernorm": "ffn_norm",
         "post_feedforward_layernorm": "post_ffw_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
         "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm", "mlp.gate_proj": "ffn_gate",
         "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down", "embed_tokens": "token_embd", "norm": "output_norm"}


def gguf_name(name):
    parts = name.removeprefix("model.").removesuffix(".weight").split(".", 2)
    return f"blk.{parts[1]}.{NAMES[parts[2]]}.weight" if parts[0] == "layers" else f"{NAMES[parts[0]]}.weight"


def gemma3_gguf():
    import gguf
    folder = GOLDEN / "gemma3-gguf"
    folder.mkdir(parents=True, exist_ok=True)
    pieces = train_sentencepiece()
    shape = SHAPE | dict(num_attention_heads=2, num_key_value_heads=1, intermediate_size=32)
    # A pattern of six, as GGUF does not say which.
    model = randomise(Gemma3ForCausalLM(Gemma3TextConfig(vocab_size=pieces.get_piece_size(), num_hidden_layers=6, query_pre_attn_scalar=16,
                                                         rope_parameters=ROPES, **shape)), 24)
    config, writer = model.config, gguf.GGUFWriter(folder / "model.gguf", "gemma3")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(FULL_ROPE["rope_theta"])
    writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
    writer.add_rope_scaling_factor(FULL_ROPE["factor"])
    writer.add_sliding_window(config.sliding_window)
    add_vocabulary(writer, pieces)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.dim() == 1:
                writer.add_tensor(gguf_name(name), (1 + p).numpy())
            else:
                p.copy_(p.half().float())
                writer.add_tensor(gguf_name(name), p.numpy().astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    check_readers_agree(folder, model)
    texts = SENTENCES[:5] + ["  two  spaces ", "tab\tand\n\nlines\n", "日本語 e ação", "<start_of_turn>user", ""]
    write(folder, outputs(model, config.vocab_size, "model.gguf") | {"texts": [{"text": t, "ids": [2] + pieces.encode(t)} for t in texts]})


def check_readers_agree(folder, model):
    """transformers' reader of GGUF gives the model that the file was written from. It does not read the scaling of rotary positions."""
    read = AutoModelForCausalLM.from_pretrained(folder, gguf_file="model.gguf", dtype=torch.float32, attn_implementation="eager")
    for name, value in model.state_dict().items():
        if not torch.allclose(value, read.state_dict()[name], atol=1e-6):
            raise SystemExit(f"{name} is not what transformers reads from the file")


def main():
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    words = tokenizer()
    gemma2(words)
    gemma3(words)
    gemma3_images(words)
    gemma3_gguf()


if __name__ == "__main__":
    main()

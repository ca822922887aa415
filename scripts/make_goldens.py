#!/usr/bin/env python3
"""Writes tests/golden/<name>/: tiny models with random weights, and the outputs of transformers for them.

  make_goldens.py tiny                                   bert, bert-reader, llama, llama-scaled, llama-gguf, qwen2, qwen3 and opt (under 300 kB each)
  make_goldens.py reader                                 bert-reader alone
  make_goldens.py qwen                                   qwen2 and qwen3 alone
  make_goldens.py opt                                    opt alone
  make_goldens.py minilm FOLDER                          outputs of the real all-MiniLM-L6-v2 (no weights)
  make_goldens.py smollm2 FILE.gguf                      outputs of the real SmolLM2-135M-Instruct (no weights)

Needs torch, transformers, tokenizers, gguf, safetensors. The outputs are the oracle of tests/model/arch, which tests every folder whose
outputs.json names a kind and a checkpoint. Run it again only to change the inputs; the versions of the packages are stored beside the
outputs.
"""
import argparse
import json
import pathlib

import numpy as np
import torch
import transformers
from safetensors.torch import save_file
from transformers import (AutoModel, AutoModelForCausalLM, AutoTokenizer, BertConfig, BertModel, BertTokenizer, LlamaConfig,
                          LlamaForCausalLM, OPTConfig, OPTForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM)

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden"
VERSIONS = {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__}
SENTENCES = [
    "The lighthouse keeper counts the ships at dusk.",
    "At nightfall the man in the tower tallies passing vessels.",
    "O prazo de recurso é de quinze dias úteis.",
    "Art. 72 is not Art. 75, whatever the letters look like.",
    "x",
    " ".join(f"Line {i} of a long text that is cut at the model's limit." for i in range(60)),
]


def rounded(values):
    return [float(f"{v:.7g}") for v in np.asarray(values, dtype=np.float64).ravel()]


# How near a random model's outputs must come to the oracle's (cosine): fp32 drifts only by the order of additions, the
# integer types by their rounding.
EMBEDDER_FLOORS = {"fp32": 0.99999, "fp16": 0.9999, "int8": 0.997, "int4": 0.9}
DECODER_FLOORS = {"fp32": 0.99999, "fp16": 0.9999, "int8": 0.995, "int4": 0.8}
READER_FLOORS = {"fp32": 0.99999, "fp16": 0.9999, "int8": 0.995, "int4": 0.8}


def write(folder, outputs):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "outputs.json").write_text(json.dumps({"versions": VERSIONS, **outputs}, ensure_ascii=False, indent=0) + "\n")


def randomise(model, seed):
    """Weights of a size that makes every part matter: the default initialisation is so small that attention is uniform."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(1 + 0.2 * torch.randn_like(p) if "norm" in name.lower() and name.endswith("weight") else 0.25 * torch.randn_like(p))
    return model.eval()


def word_piece_vocabulary():
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)] + list("0123456789.,?")
    words = ["the", "law", "art", "court", "of", "##s", "##ing", "##ed", "answer", "question"]
    return ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + letters + ["##" + c for c in letters] + words


def tiny_bert():
    folder = GOLDEN / "bert"
    vocabulary = word_piece_vocabulary()
    config = BertConfig(vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
                        max_position_embeddings=64, attn_implementation="eager")
    model = randomise(BertModel(config, add_pooling_layer=False), 1)
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True, "tokenizer_class": "BertTokenizer"}))
    (folder / "modules.json").write_text(json.dumps([{"path": "", "type": "Transformer"}, {"path": "1_Pooling", "type": "Pooling"},
                                                     {"path": "2_Normalize", "type": "Normalize"}]))
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 48}))
    cases = []
    for seed, length in ((0, 1), (1, 2), (2, 17), (3, 33), (4, 64)):
        ids = np.random.default_rng(seed).integers(0, len(vocabulary), length).tolist()
        with torch.inference_mode():
            hidden = model(input_ids=torch.tensor([ids])).last_hidden_state[0]
        mean = hidden.mean(0)
        cases.append({"ids": ids, "hidden": rounded(hidden), "embedding": rounded(mean / mean.norm())})
    write(folder, {"kind": "embedder", "checkpoint": ".", "floors": EMBEDDER_FLOORS, "dimension": 32, "max_tokens": 48, "cases": cases})


def tiny_reader():
    """A reader: BERT whose heads are single linear layers, at an early exit and at the last layer (scripts/reader/model.py)."""
    folder, hidden, first_exit = GOLDEN / "bert-reader", 32, 1
    vocabulary = word_piece_vocabulary()
    config = BertConfig(vocab_size=len(vocabulary), hidden_size=hidden, num_hidden_layers=3, num_attention_heads=4, intermediate_size=64,
                        max_position_embeddings=64, attn_implementation="eager")
    model = randomise(BertModel(config, add_pooling_layer=False), 5)
    heads = {"rank_first": 1, "rank_last": 1, "span": 2, "answerable": 1}
    weights = {name: torch.randn(outputs, hidden) for name, outputs in heads.items()}
    biases = {name: torch.randn(outputs) for name, outputs in heads.items()}
    folder.mkdir(exist_ok=True)
    tensors = dict(model.state_dict())
    for name in heads:
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = weights[name].flatten(), biases[name]
    tensors["confidence.weight"] = torch.tensor([1, 0.5, 0.25, -0.5, 2, 3, -2, 0.125, -1])
    tensors["confidence_without_contrast.weight"] = torch.tensor([0, 1, -0.25, 0.5, 1, 2, 0, -0.5, 0.25])
    save_file({name: value.contiguous() for name, value in tensors.items()}, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps({**config.to_dict(), "model_type": "bert-reader", "architectures": ["BertReader"],
                                                    "first_exit": first_exit, "max_question_tokens": 12, "max_pair_tokens": 48}, indent=1))
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True, "tokenizer_class": "BertTokenizer"}))
    tokenizer = BertTokenizer.from_pretrained(str(folder))
    split = lambda text: tokenizer.encode(text, add_special_tokens=False)
    cases = []
    for question, passage in (("the law?", "art 5 of the law, the court answered."), ("x", "y"), ("what is the law of courts?", "z " * 60),
                              ("a " * 30, "question answering of the court.")):
        asked, read = split(question)[:12], split(passage)
        read = read[: 48 - len(asked) - 3]
        ids = [2, *asked, 3, *read, 3]
        types = [0] * (len(asked) + 2) + [1] * (len(read) + 1)
        with torch.inference_mode():
            states = model(input_ids=torch.tensor([ids]), token_type_ids=torch.tensor([types]), output_hidden_states=True).hidden_states
        head = lambda name, state: state @ weights[name].T + biases[name]
        first, last = states[first_exit][0], states[-1][0]
        span = head("span", last)
        cases.append({"question": question, "passage": passage, "ids": ids, "first": head("rank_first", first[0]).item(),
                      "relevance": head("rank_last", last[0]).item(), "answerable": head("answerable", last[0]).item(),
                      "none": span[0].sum().item(), "begin": rounded(span[len(asked) + 2 : -1, 0]), "end": rounded(span[len(asked) + 2 : -1, 1])})
    write(folder, {"kind": "reader", "checkpoint": ".", "floors": READER_FLOORS, "max_tokens": 48, "cases": cases})


def byte_level_tokenizer():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(SENTENCES * 3, trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"]))
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", bos_token="<|im_start|>")


CHATML = ("{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
          "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")


def llama_outputs(model, vocab, checkpoint):
    cases = []
    for seed, length in ((0, 1), (1, 5), (2, 40), (3, 100)):
        ids = np.random.default_rng(seed).integers(0, vocab, length).tolist()
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([ids])).logits[0]
        cases.append({"ids": ids, "last_logits": rounded(logits[-1]), "argmax": logits.argmax(-1).tolist()})
    return {"kind": "decoder", "checkpoint": checkpoint, "floors": DECODER_FLOORS, "cases": cases}


def tiny_decoder(name, seed, config_class, model_class, **options):
    tokenizer = byte_level_tokenizer()
    tokenizer.chat_template = CHATML
    config = config_class(vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
                          max_position_embeddings=256, attn_implementation="eager", eos_token_id=2, **options)
    model = randomise(model_class(config), seed)
    model.tie_weights()
    model.save_pretrained(GOLDEN / name)
    tokenizer.save_pretrained(GOLDEN / name)
    write(GOLDEN / name, llama_outputs(model, len(tokenizer), "."))
    return model, tokenizer


def tiny_llama(name, seed, config_class=LlamaConfig, model_class=LlamaForCausalLM, **options):
    return tiny_decoder(name, seed, config_class, model_class, num_key_value_heads=2, intermediate_size=64, **options)


def tiny_opt():
    tiny_decoder("opt", 9, OPTConfig, OPTForCausalLM, ffn_dim=64, word_embed_proj_dim=32)


def permuted(weight, heads):
    """GGUF's order of q and k rows: pairs that Hugging Face keeps half a head apart become neighbours."""
    rows = weight.shape[0]
    return weight.reshape(heads, 2, rows // heads // 2, -1).swapaxes(1, 2).reshape(weight.shape)


def tiny_llama_gguf(model, tokenizer):
    import gguf
    folder = GOLDEN / "llama-gguf"
    folder.mkdir(parents=True, exist_ok=True)
    config, path = model.config, folder / "model.gguf"
    w = gguf.GGUFWriter(path, "llama")
    w.add_block_count(config.num_hidden_layers)
    w.add_context_length(config.max_position_embeddings)
    w.add_embedding_length(config.hidden_size)
    w.add_feed_forward_length(config.intermediate_size)
    w.add_head_count(config.num_attention_heads)
    w.add_head_count_kv(config.num_key_value_heads)
    w.add_layer_norm_rms_eps(config.rms_norm_eps)
    w.add_rope_freq_base(10000.0)
    w.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    w.add_vocab_size(config.vocab_size)
    vocabulary = tokenizer.get_vocab()
    tokens = sorted(vocabulary, key=vocabulary.get)
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("gpt-2")
    w.add_token_list(tokens)
    w.add_token_types([3 if t.startswith("<|") else 1 for t in tokens])
    w.add_token_merges([" ".join(m) for m in merges])
    w.add_bos_token_id(1)
    w.add_eos_token_id(2)
    w.add_chat_template(CHATML)
    names = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
             "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    for name, p in model.state_dict().items():
        value = p.numpy().astype(np.float32)
        if name == "lm_head.weight":
            continue
        if name == "model.embed_tokens.weight":
            w.add_tensor("token_embd.weight", value)
        elif name == "model.norm.weight":
            w.add_tensor("output_norm.weight", value)
        else:
            _, _, layer, rest = name.split(".", 3)
            short = names[rest.removesuffix(".weight")]
            if short in heads:
                value = permuted(value, heads[short])
            w.add_tensor(f"blk.{layer}.{short}.weight", np.ascontiguousarray(value))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    # The oracle is transformers' own GGUF reader, not the model the file was written from.
    read_back = AutoModelForCausalLM.from_pretrained(folder, gguf_file="model.gguf", dtype=torch.float32, attn_implementation="eager").eval()
    write(folder, llama_outputs(read_back, config.vocab_size, "model.gguf"))


def tiny():
    tiny_bert()
    tiny_reader()
    model, tokenizer = tiny_llama("llama", 2, tie_word_embeddings=True)
    tiny_llama_gguf(model, tokenizer)
    tiny_llama("llama-scaled", 3, tie_word_embeddings=False, attention_bias=True, head_dim=16, rope_parameters={
        "rope_type": "llama3", "rope_theta": 10000.0, "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64})
    tiny_qwen()
    tiny_opt()


def tiny_qwen():
    tiny_llama("qwen2", 8, Qwen2Config, Qwen2ForCausalLM, tie_word_embeddings=True)
    tiny_llama("qwen3", 7, Qwen3Config, Qwen3ForCausalLM, tie_word_embeddings=False, head_dim=16, rope_parameters={
        "rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 64})


def minilm(folder):
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    cases = []
    for text in SENTENCES:
        x = tokenizer(text, truncation=True, max_length=256, padding=False, return_tensors="pt")
        with torch.inference_mode():
            hidden = model(**x).last_hidden_state[0]
        mean = hidden.mean(0)
        cases.append({"text": text, "tokens": x["input_ids"].shape[1], "embedding": rounded(mean / mean.norm())})
    write(GOLDEN / "minilm", {"cases": cases})


def smollm2(path):
    path = pathlib.Path(path)
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32).eval()
    cases = []
    for text in SENTENCES[:4]:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([ids])).logits[0]
        top = logits[-1].topk(20)
        cases.append({"text": text, "ids": ids, "argmax": logits.argmax(-1).tolist(), "top_ids": top.indices.tolist(),
                      "top_logits": rounded(top.values), "log_sum_exp": float(torch.logsumexp(logits[-1], 0))})
    chat = tokenizer.apply_chat_template([{"role": "user", "content": "What is the capital of France?"}], add_generation_prompt=True, return_tensors="pt")
    chat = chat["input_ids"] if not isinstance(chat, torch.Tensor) else chat
    with torch.inference_mode():
        out = model.generate(chat, max_new_tokens=24, do_sample=False)[0]
    write(GOLDEN / "smollm2", {"cases": cases, "chat": {"prompt_ids": chat[0].tolist(), "new_ids": out[chat.shape[1]:].tolist(),
                                                        "text": tokenizer.decode(out[chat.shape[1]:], skip_special_tokens=True)}})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["tiny", "reader", "qwen", "opt", "minilm", "smollm2"])
    parser.add_argument("source", nargs="?")
    a = parser.parse_args()
    {"tiny": lambda: tiny(), "reader": lambda: tiny_reader(), "qwen": lambda: tiny_qwen(), "opt": lambda: tiny_opt(), "minilm": lambda: minilm(a.source), "smollm2": lambda: smollm2(a.source)}[a.what]()


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Writes tests/golden/<name>/ for encoders beside BERT, and for rankers: as make_goldens.py, which has the rest.

  make_encoder_goldens.py [NAME ...]    modernbert, roberta, qwen3-embedder, qwen3-embedder-gguf, bert-dense, bge-m3, bert-ranker, modernbert-ranker, roberta-ranker, qwen3-ranker,
                                        qwen3-classifier; all of them if none is named.
                                        qwen3-embedder-gguf also needs gguf and accelerate
"""
import json
import sys

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from safetensors.torch import save_file
from transformers import (BertConfig, BertForSequenceClassification, BertModel, BertTokenizer, PreTrainedTokenizerFast, XLMRobertaConfig,
                          XLMRobertaForSequenceClassification, XLMRobertaModel, ModernBertConfig, ModernBertForSequenceClassification,
                          ModernBertModel, Qwen3Config, Qwen3ForCausalLM, Qwen3ForSequenceClassification, Qwen3Model)

from make_goldens import EMBEDDER_FLOORS, GOLDEN, READER_FLOORS, SENTENCES, randomise, rounded, word_piece_vocabulary, write

PAIRS = [("the law?", "art 5 of the law, the court answered."), ("x", "y"), ("what is the law of courts?", "z " * 60),
         ("of", "question answering of the court."), ("the court of law", "x")]


def sentence_pieces():
    """A Unigram tokenizer with the parts of XLM-RoBERTa's."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.train_from_iterator(SENTENCES * 3, trainers.UnigramTrainer(
        vocab_size=160, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>",
                                   cls_token="<s>", sep_token="</s>")


def roberta_config(tokenizer, **options):
    return XLMRobertaConfig(vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
                            max_position_embeddings=66, type_vocab_size=1, pad_token_id=1, attn_implementation="eager", **options)


def module_list(folder, *modules):
    (folder / "modules.json").write_text(json.dumps([
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"} for i, (path, kind) in enumerate(modules)]))


def hidden_cases(model, vocab, embed):
    cases = []
    for seed, length in ((0, 1), (1, 2), (2, 17), (3, 33), (4, 64)):
        ids = np.random.default_rng(seed).integers(4, vocab, length).tolist()
        with torch.inference_mode():
            hidden = model(input_ids=torch.tensor([ids])).last_hidden_state[0]
        cases.append({"ids": ids, "hidden": rounded(hidden), "embedding": embed(hidden)})
    return cases


def states_of(model, tokenizer, text):
    with torch.inference_mode():
        return model(**tokenizer(text, truncation=True, max_length=64, return_tensors="pt")).last_hidden_state[0]


def embedder(name, model, tokenizer, floors=EMBEDDER_FLOORS):
    """An embedder with [CLS] pooling, as BGE-M3's dense vectors."""
    folder = GOLDEN / name
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "modules.json").write_text(json.dumps([{"path": "", "type": "Transformer"}, {"path": "1_Pooling", "type": "Pooling"},
                                                     {"path": "2_Normalize", "type": "Normalize"}]))
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}))
    cases = hidden_cases(model, len(tokenizer), lambda hidden: rounded(hidden[0] / hidden[0].norm()))
    texts = []
    for text in SENTENCES[:5]:
        with torch.inference_mode():
            first = model(**tokenizer(text, truncation=True, max_length=64, return_tensors="pt")).last_hidden_state[0, 0]
        texts.append({"text": text, "embedding": rounded(first / first.norm())})
    write(folder, {"kind": "embedder", "checkpoint": ".", "floors": floors, "dimension": 32, "max_tokens": 64, "cases": cases,
                   "texts": texts})


def roberta():
    tokenizer = sentence_pieces()
    embedder("roberta", randomise(XLMRobertaModel(roberta_config(tokenizer), add_pooling_layer=False), 11), tokenizer)


def modernbert_tokenizer():
    """Byte-level BPE with the template of ModernBERT."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(SENTENCES * 3, trainers.BpeTrainer(
        vocab_size=320, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
        special_tokens=["[PAD]", "[CLS]", "[SEP]", "[UNK]"]))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]", unk_token="[UNK]")


def modernbert_config(tokenizer, **options):
    return ModernBertConfig(vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=4, num_attention_heads=4, intermediate_size=48,
                            max_position_embeddings=64, local_attention=16, pad_token_id=0, cls_token_id=1, sep_token_id=2,
                            bos_token_id=1, eos_token_id=2, attn_implementation="eager", **options)


def modernbert():
    tokenizer = modernbert_tokenizer()
    # Rounding the weights to int4 in torch gives .885, too: gated layers multiply errors.
    embedder("modernbert", randomise(ModernBertModel(modernbert_config(tokenizer)), 14), tokenizer, {**EMBEDDER_FLOORS, "int4": 0.85})


def ranker(name, model, tokenizer, max_tokens, has_types):
    folder = GOLDEN / name
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    split = lambda text: tokenizer.encode(text, add_special_tokens=False)
    cases = []
    for question, passage in PAIRS:
        x = tokenizer(question, passage, truncation="only_second", max_length=max_tokens, return_tensors="pt")
        if not has_types:
            x.pop("token_type_ids", None)
        with torch.inference_mode():
            logit = model(**x).logits[0, 0].item()
        cases.append({"question": question, "passage": passage, "ids": x["input_ids"][0].tolist(), "relevance": logit})
    write(folder, {"kind": "reader", "checkpoint": ".", "floors": READER_FLOORS, "max_tokens": max_tokens, "cases": cases})


def bert_ranker():
    folder, vocabulary = GOLDEN / "bert-ranker", word_piece_vocabulary()
    folder.mkdir(exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    config = BertConfig(vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
                        max_position_embeddings=64, num_labels=1, attn_implementation="eager")
    tokenizer = BertTokenizer.from_pretrained(str(folder))
    ranker("bert-ranker", randomise(BertForSequenceClassification(config), 12), tokenizer, 64, True)


def roberta_ranker():
    tokenizer = sentence_pieces()
    model = randomise(XLMRobertaForSequenceClassification(roberta_config(tokenizer, num_labels=1)), 13)
    ranker("roberta-ranker", model, tokenizer, 64, False)


def modernbert_ranker():
    tokenizer = modernbert_tokenizer()
    config = modernbert_config(tokenizer, num_labels=1, classifier_pooling="mean")
    ranker("modernbert-ranker", randomise(ModernBertForSequenceClassification(config), 15), tokenizer, 64, False)


def qwen3_tokenizer(template=None):
    """Byte-level BPE with the tokens of Qwen3's prompts, and with "yes" and "no" as tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator([*SENTENCES, PROMPT_BEFORE, PROMPT_AFTER, INSTRUCTION, "yes no yes no", "yes", "no", "<Document>: <Query>: "] * 3,
                                  trainers.BpeTrainer(vocab_size=420, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
                                                      special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"]))
    tokenizer.post_processor = template or processors.ByteLevel(trim_offsets=False)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>")


def qwen3_config(tokenizer, **options):
    return Qwen3Config(vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=16,
                       intermediate_size=64, max_position_embeddings=1024, eos_token_id=2, pad_token_id=0, bos_token_id=None,
                       attn_implementation="eager", **options)


def set_in_json(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}, indent=2) + "\n")


def qwen3_embedder():
    """As Qwen3-Embedding is published: the layers alone, with side files of sentence-transformers, and a config.json of the decoder."""
    folder, query = GOLDEN / "qwen3-embedder", "Instruct: Given a question, retrieve passages of law that answer it\nQuery:"
    tokenizer = qwen3_tokenizer(processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(
        single="$A <|endoftext|>", pair="$A <|endoftext|> $B <|endoftext|>", special_tokens=[("<|endoftext|>", 0)])]))
    model = randomise(Qwen3Model(qwen3_config(tokenizer)), 16)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    set_in_json(folder / "config.json", architectures=["Qwen3ForCausalLM"])
    module_list(folder, ("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize"))
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({
        "word_embedding_dimension": 32, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": False, "pooling_mode_max_tokens": False,
        "pooling_mode_lasttoken": True, "include_prompt": True}))
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": {"query": query, "document": ""}, "default_prompt_name": None}))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 64}))

    def last(text):
        # sentence-transformers cuts a text so that the tokens of the template fit.
        with torch.inference_mode():
            state = model(**tokenizer(text, truncation=True, max_length=64, return_tensors="pt")).last_hidden_state[0, -1]
        return rounded(state / state.norm())

    cases = hidden_cases(model, len(tokenizer), lambda hidden: rounded(hidden[-1] / hidden[-1].norm()))
    texts = [{"text": text, "embedding": last(text)} for text in SENTENCES]
    texts += [{"text": text, "role": "query", "embedding": last(query + text)} for text in SENTENCES[:3]]
    # Rounding the weights to int4 in torch gives .752 for one of the texts, too: a single token is pooled, so errors do not average out.
    write(folder, {"kind": "embedder", "checkpoint": ".", "floors": {**EMBEDDER_FLOORS, "int4": 0.7}, "dimension": 32, "max_tokens": 64, "cases": cases,
                   "texts": texts})


def qwen3_embedder_gguf():
    """The same as llama.cpp's converter writes Qwen3-Embedding. transformers' own reader of GGUF is the oracle."""
    import gguf
    folder = GOLDEN / "qwen3-embedder-gguf"
    folder.mkdir(exist_ok=True)
    source = GOLDEN / "qwen3-embedder"
    model, tokenizer = Qwen3Model.from_pretrained(source), PreTrainedTokenizerFast.from_pretrained(source)
    config, w = model.config, gguf.GGUFWriter(folder / "model.gguf", "qwen3")
    w.add_block_count(config.num_hidden_layers)
    w.add_context_length(64)
    w.add_embedding_length(config.hidden_size)
    w.add_feed_forward_length(config.intermediate_size)
    w.add_head_count(config.num_attention_heads)
    w.add_head_count_kv(config.num_key_value_heads)
    w.add_key_length(config.head_dim)
    w.add_value_length(config.head_dim)
    w.add_layer_norm_rms_eps(config.rms_norm_eps)
    w.add_rope_freq_base(10000.0)
    w.add_vocab_size(config.vocab_size)
    w.add_pooling_type(gguf.PoolingType.LAST)
    vocabulary = tokenizer.get_vocab()
    tokens = sorted(vocabulary, key=vocabulary.get)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("gpt-2")
    w.add_token_list(tokens)
    w.add_token_types([3 if t.startswith("<|") else 1 for t in tokens])
    w.add_token_merges([" ".join(m) for m in json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]])
    w.add_eos_token_id(0)
    w.add_add_eos_token(True)
    w.add_add_bos_token(False)
    names = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
             "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
             "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}
    for name, p in model.state_dict().items():
        if name.startswith("layers."):
            _, layer, rest = name.split(".", 2)
            name = f"blk.{layer}.{names[rest.removesuffix('.weight')]}.weight"
        else:
            name = {"embed_tokens.weight": "token_embd.weight", "norm.weight": "output_norm.weight"}[name]
        w.add_tensor(name, p.numpy().astype(np.float32))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    # transformers 5.24 does not read the length of a key.
    stored = Qwen3Config.from_pretrained(folder, gguf_file="model.gguf", head_dim=config.head_dim)
    read_back = Qwen3Model.from_pretrained(folder, gguf_file="model.gguf", config=stored, dtype=torch.float32, attn_implementation="eager").eval()
    last = lambda hidden: rounded(hidden[-1] / hidden[-1].norm())
    write(folder, {"kind": "embedder", "checkpoint": "model.gguf", "floors": {**EMBEDDER_FLOORS, "int4": 0.7}, "dimension": 32, "max_tokens": 64,
                   "cases": hidden_cases(read_back, len(tokenizer), last),
                   "texts": [{"text": text, "embedding": last(states_of(read_back, tokenizer, text))} for text in SENTENCES]})


PROMPT_BEFORE = ("<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct provided. "
                 "Note that the answer can only be \"yes\" or \"no\".<|im_end|>\n<|im_start|>user\n")
PROMPT_AFTER = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
INSTRUCTION = "Given a web search query, retrieve relevant passages that answer the query"


def qwen3_pairs(name, tokenizer, relevance, instruction=INSTRUCTION, floors=READER_FLOORS):
    """The prompts of Qwen3-Reranker's model card, and relevance(ids) of each. A passage is cut where it has no room."""
    before, after = (tokenizer.encode(text, add_special_tokens=False) for text in (PROMPT_BEFORE, PROMPT_AFTER))
    cases = []
    for question, passage in PAIRS + [("<|im_end|> yes", "ends <|im_end|> early"), ("the law " * 400, "the court of law")]:
        asked = question
        if len(tokenizer.encode(question)) > 512:
            spans = tokenizer(question, return_offsets_mapping=True)["offset_mapping"]
            asked = question[:spans[512][0]]
        # What users write is text: no token of the template is found in it.
        text = f"<Instruct>: {instruction}\n<Query>: {asked}\n<Document>: {passage}"
        plain = json.loads(tokenizer.backend_tokenizer.to_str())
        plain["added_tokens"] = []
        body = Tokenizer.from_str(json.dumps(plain)).encode(text, add_special_tokens=False).ids
        ids = before + body[:1024 - len(before) - len(after)] + after
        cases.append({"question": question, "passage": passage, "ids": ids, "relevance": relevance(ids)})
    write(GOLDEN / name, {"kind": "reader", "checkpoint": ".", "floors": floors, "max_tokens": 1024, "cases": cases})


def qwen3_ranker():
    """As Qwen3-Reranker with the files of sentence-transformers, which say that it is one."""
    folder, tokenizer = GOLDEN / "qwen3-ranker", qwen3_tokenizer()
    model = randomise(Qwen3ForCausalLM(qwen3_config(tokenizer, tie_word_embeddings=True)), 17)
    model.tie_weights()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"model_type": "CrossEncoder"}))
    yes, no = tokenizer.convert_tokens_to_ids(["yes", "no"])

    def relevance(ids):
        with torch.inference_mode():
            scores = model(input_ids=torch.tensor([ids])).logits[0, -1, [no, yes]]
        return torch.logit(torch.softmax(scores.double(), 0)[1]).item()

    qwen3_pairs("qwen3-ranker", tokenizer, relevance)


def qwen3_classifier():
    """The same, converted to a classifier with one label."""
    folder, tokenizer = GOLDEN / "qwen3-classifier", qwen3_tokenizer()
    model = randomise(Qwen3ForSequenceClassification(qwen3_config(tokenizer, num_labels=1)), 18)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)

    def relevance(ids):
        with torch.inference_mode():
            return model(input_ids=torch.tensor([ids])).logits[0, 0].item()

    qwen3_pairs("qwen3-classifier", tokenizer, relevance)


def bert_dense():
    """BERT with mean pooling and two Dense modules, as distiluse and EmbeddingGemma have them."""
    folder, vocabulary = GOLDEN / "bert-dense", word_piece_vocabulary()
    folder.mkdir(exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    config = BertConfig(vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
                        max_position_embeddings=64, attn_implementation="eager")
    tokenizer = BertTokenizer.from_pretrained(str(folder))
    model = randomise(BertModel(config, add_pooling_layer=False), 19)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    wide, narrow = randomise(torch.nn.Linear(32, 48), 20), randomise(torch.nn.Linear(48, 24, bias=False), 21)
    module_list(folder, ("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Dense", "Dense"), ("3_Dense", "Dense"), ("4_Normalize", "Normalize"))
    for path, layer, activation in (("2_Dense", wide, "activation.Tanh"), ("3_Dense", narrow, "linear.Identity")):
        (folder / path).mkdir(exist_ok=True)
        (folder / path / "config.json").write_text(json.dumps({
            "in_features": layer.in_features, "out_features": layer.out_features, "bias": layer.bias is not None,
            "activation_function": f"torch.nn.modules.{activation}"}))
    save_file({f"linear.{name}": value.contiguous() for name, value in wide.state_dict().items()}, folder / "2_Dense" / "model.safetensors")
    torch.save({f"linear.{name}": value for name, value in narrow.state_dict().items()}, folder / "3_Dense" / "pytorch_model.bin")
    (folder / "1_Pooling").mkdir(exist_ok=True)
    # As sentence-transformers 5 writes it.
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"embedding_dimension": 32, "pooling_mode": "mean", "include_prompt": True}))

    def embed(hidden):
        with torch.inference_mode():
            vector = narrow(torch.tanh(wide(hidden.mean(0))))
        return rounded(vector / vector.norm())

    write(folder, {"kind": "embedder", "checkpoint": ".", "floors": EMBEDDER_FLOORS, "dimension": 24, "max_tokens": 64,
                   "cases": hidden_cases(model, len(tokenizer), embed),
                   "texts": [{"text": text, "embedding": embed(states_of(model, tokenizer, text))} for text in SENTENCES[:5]]})


def bge_m3():
    """XLM-RoBERTa with the three heads of BGE-M3, computed as FlagEmbedding's EncoderOnlyEmbedderM3Model and M3Embedder do."""
    folder, tokenizer = GOLDEN / "bge-m3", sentence_pieces()
    model = randomise(XLMRobertaModel(roberta_config(tokenizer), add_pooling_layer=False), 22)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    module_list(folder, ("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize"))
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}))
    sparse_linear, colbert_linear = randomise(torch.nn.Linear(32, 1), 23), randomise(torch.nn.Linear(32, 40), 24)
    with torch.no_grad():
        sparse_linear.bias.fill_(1.5)  # most tokens have a weight, as in the published model
    torch.save(sparse_linear.state_dict(), folder / "sparse_linear.pt")
    torch.save(colbert_linear.state_dict(), folder / "colbert_linear.pt")
    unused = {tokenizer.cls_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id, tokenizer.unk_token_id}
    dense = lambda hidden: rounded(hidden[0] / hidden[0].norm())
    texts = []
    for text in [*SENTENCES[:5], "ships ships the ships", "…", ""]:
        ids, hidden = tokenizer(text, truncation=True, max_length=64)["input_ids"], states_of(model, tokenizer, text)
        with torch.inference_mode():
            weights, vectors = torch.relu(sparse_linear(hidden))[:, 0].tolist(), colbert_linear(hidden[1:])
        sparse = {}
        for weight, token in zip(weights, ids):
            if token not in unused and weight > sparse.get(token, 0):
                sparse[token] = weight
        texts.append({"text": text, "embedding": dense(hidden), "sparse_tokens": sorted(sparse), "sparse_weights": rounded([sparse[t] for t in sorted(sparse)]),
                      "token_vectors": rounded(torch.nn.functional.normalize(vectors, dim=-1))})
    write(folder, {"kind": "embedder", "checkpoint": ".", "floors": EMBEDDER_FLOORS, "dimension": 32, "max_tokens": 64, "token_dimension": 40,
                   "cases": hidden_cases(model, len(tokenizer), dense), "texts": texts})


MAKERS = {"modernbert": modernbert, "modernbert-ranker": modernbert_ranker, "roberta": roberta, "bert-ranker": bert_ranker,
          "roberta-ranker": roberta_ranker, "qwen3-embedder": qwen3_embedder, "qwen3-ranker": qwen3_ranker, "qwen3-classifier": qwen3_classifier,
          "bert-dense": bert_dense, "bge-m3": bge_m3, "qwen3-embedder-gguf": qwen3_embedder_gguf}

if __name__ == "__main__":
    for wanted in sys.argv[1:] or MAKERS:
        MAKERS[wanted]()

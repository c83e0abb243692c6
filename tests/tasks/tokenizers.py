"""Tokenizers of the kinds there are that cut words, by folder: as a model has them."""

import json

import transformers as hf
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

PIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "lon", "##don", "par", "##is", "##e", "is", "old")
SEEN = ["Paris is old", "London is old and Berlin is not", "In Paris it is cold"]


def wordpiece(folder):
    """As BERT's: special tokens at both ends, and `##` before what continues a word."""
    hf.BertTokenizer(vocab={piece: i for i, piece in enumerate(PIECES)}).save_pretrained(folder)
    return folder


def gpt2(folder):
    """Pieces of bytes, where a space begins a word; no special tokens."""
    return _bytes(folder, hf.GPT2Tokenizer)


def roberta(folder):
    """The same pieces, with special tokens at both ends."""
    return _bytes(folder, hf.RobertaTokenizer)


def _bytes(folder, kind):
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "<|endoftext|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=290, special_tokens=special, initial_alphabet=alphabet)
    backend.train_from_iterator(SEEN, trainer)
    learned = json.loads(backend.to_str())["model"]
    kind(vocab=learned["vocab"], merges=[tuple(merge) for merge in learned["merges"]]).save_pretrained(folder)
    return folder


KINDS = {"wordpiece": wordpiece, "gpt2": gpt2, "roberta": roberta}

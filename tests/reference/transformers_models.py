"""Small models of each family, and what Hugging Face transformers makes of photos and texts with them.

Run in the reference environment: `python transformers_models.py OUT INPUTS.json`. INPUTS names `photos` and
holds `texts`. Each model gets a folder below OUT in the usual layout with weights drawn at random, and a file
`reference.npz` with the vectors that transformers' own image processor, tokenizer and network give.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import transformers as tf
from PIL import Image
from transformers_tokenizers import bert, clip, e5, siglip, siglip2

warnings.filterwarnings("ignore")
_VISION = {
    "hidden_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "hidden_act": "gelu",
}
_TEXT = {**_VISION, "hidden_size": 40, "intermediate_size": 80}


def draw(model: torch.nn.Module, seed: int) -> torch.nn.Module:
    """Give a model weights so large that different inputs give clearly different vectors."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if weights.ndim > 1:
                fan_in = weights[0].numel() if "embed" not in name else 4
                weights.copy_(torch.randn(weights.shape, generator=generator) * (2.0 / fan_in**0.5))
            else:
                weights.add_(torch.randn(weights.shape, generator=generator) * 0.2)
    return model.eval()


def settle(model: torch.nn.Module, pixels: torch.Tensor) -> None:
    """Let batch normalization take its mean from the photos, as in training; else all vectors look alike."""
    norms = [each for each in model.modules() if isinstance(each, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
        norm.train()
    with torch.no_grad():
        model(pixel_values=pixels)
    model.eval()


class Wrapped(torch.nn.Module):
    """A network whose outputs are the named ones, in order."""

    def __init__(self, model: torch.nn.Module, inputs: list[str], outputs: list[str]) -> None:
        super().__init__()
        self.model, self.inputs, self.outputs = model, inputs, outputs
        self.eval()  # exporting leaves it so

    def forward(self, *values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        given = self.model(**dict(zip(self.inputs, values, strict=True)), return_dict=True)
        return tuple(given[name] for name in self.outputs)


def export(
    model: torch.nn.Module,
    path: Path,
    inputs: dict[str, torch.Tensor],
    outputs: list[str],
    fixed: bool = False,
) -> None:
    """Write an ONNX file with the usual names, by the exporter that most published files come from."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if "dinov2" in model.config.model_type:  # the old exporter cannot; the new one makes other files
        export_by_dynamo(model, path, inputs, outputs)
        return
    free = {
        name: {0: "batch"} | ({1: "sequence"} if value.ndim == 2 else {}) for name, value in inputs.items()
    }
    free = {name: {0: "batch"} for name in inputs} if fixed else free
    torch.onnx.export(
        Wrapped(model, list(inputs), outputs),
        tuple(inputs.values()),
        str(path),
        input_names=list(inputs),
        output_names=outputs,
        dynamic_axes={**free, **{name: {0: "batch"} for name in outputs}},
        dynamo=False,
        opset_version=17,
    )


def export_by_dynamo(
    model: torch.nn.Module, path: Path, inputs: dict[str, torch.Tensor], outputs: list[str]
) -> None:
    """Write an ONNX file by PyTorch's newer exporter."""
    batch = torch.export.Dim("batch", min=1, max=256)
    torch.onnx.export(
        Wrapped(model, list(inputs), outputs),
        tuple(inputs.values()),
        str(path),
        input_names=list(inputs),
        output_names=outputs,
        dynamic_shapes=(tuple({0: batch} for _ in inputs),),
        dynamo=True,
        external_data=False,
        verbose=False,
    )


def photos_of(processor: object, paths: list[str]) -> torch.Tensor:
    images = [Image.open(path).convert("RGB") for path in paths]
    return torch.cat([processor(image, return_tensors="pt")["pixel_values"] for image in images])


def vision(
    out: Path, paths: list[str], model: torch.nn.Module, processor: object, outputs: list[str], pool: Callable
) -> None:
    """Write one photo model and its vectors."""
    model.config.save_pretrained(out)
    processor.save_pretrained(out)
    pixels = photos_of(processor, paths)
    settle(model, pixels)
    export(model, out / "onnx" / "model.onnx", {"pixel_values": pixels[:2]}, outputs)
    with torch.no_grad():
        given = model(pixel_values=pixels, return_dict=True)
    np.savez(out / "reference.npz", photos=pool(given).numpy())


def first_token(given: dict[str, torch.Tensor]) -> torch.Tensor:
    return given["last_hidden_state"][:, 0]


def pooler(given: dict[str, torch.Tensor]) -> torch.Tensor:
    return given["pooler_output"].flatten(1)


def write_photo_models(out: Path, paths: list[str]) -> None:
    """Write the models that only see."""
    square = {"height": 64, "width": 64}
    small = {"image_size": 64, "patch_size": 16, **_VISION}
    hidden = ["last_hidden_state"]
    made = draw(tf.ViTModel(tf.ViTConfig(**small), add_pooling_layer=False), 1)
    vision(out / "vit", paths, made, tf.ViTImageProcessorPil(size=square), hidden, first_token)
    made = draw(tf.DeiTModel(tf.DeiTConfig(**small), add_pooling_layer=False), 2)
    size = {"height": 73, "width": 73}
    processor = tf.DeiTImageProcessorPil(size=size, crop_size=square)
    vision(out / "deit", paths, made, processor, hidden, first_token)
    processor = tf.BitImageProcessorPil(
        size={"shortest_edge": 64}, crop_size={"height": 56, "width": 56}, image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
    )  # fmt: skip
    dino = {**_VISION, "image_size": 56, "patch_size": 14, "mlp_ratio": 2}
    made = draw(tf.Dinov2Model(tf.Dinov2Config(**dino)), 3)
    vision(out / "dinov2", paths, made, processor, [*hidden, "pooler_output"], pooler)
    made = draw(tf.Dinov2WithRegistersModel(tf.Dinov2WithRegistersConfig(**dino, num_register_tokens=3)), 4)
    vision(out / "dinov2-registers", paths, made, processor, hidden, first_token)
    blocks = {"hidden_sizes": [16, 24, 32, 48], "depths": [1, 1, 2, 1]}
    for name, kind, config in (
        ("convnext", tf.ConvNextModel, tf.ConvNextConfig),
        ("convnextv2", tf.ConvNextV2Model, tf.ConvNextV2Config),
    ):
        made = draw(kind(config(**blocks)), 5)
        processor = tf.ConvNextImageProcessorPil(size={"shortest_edge": 64}, crop_pct=0.875)
        vision(out / name, paths, made, processor, [*hidden, "pooler_output"], pooler)
    made = draw(tf.ResNetModel(tf.ResNetConfig(embedding_size=16, hidden_sizes=[16, 32], depths=[1, 1])), 6)
    processor = tf.ConvNextImageProcessorPil(size={"shortest_edge": 384})  # as large as it squashes
    vision(out / "resnet", paths, made, processor, hidden, pooler)
    swin = tf.SwinConfig(
        image_size=64, patch_size=4, embed_dim=16, depths=[1, 1], num_heads=[2, 4], window_size=4
    )
    made = draw(tf.SwinModel(swin), 7)
    vision(out / "swin", paths, made, tf.ViTImageProcessorPil(size=square), hidden, pooler)


def towers(out: Path, inputs: dict[str, list[str]], models: tuple, processor: object, tokens: object) -> None:
    """Write a model of two towers and its vectors; `tokens` makes input_ids of texts."""
    config, (see, image_name), (read, text_name) = models
    config.save_pretrained(out)
    processor.save_pretrained(out)
    pixels = photos_of(processor, inputs["photos"])
    ids = tokens(inputs["texts"])
    fixed = config.model_type == "siglip"
    export(see, out / "onnx" / "vision_model.onnx", {"pixel_values": pixels[:2]}, [image_name])
    export(read, out / "onnx" / "text_model.onnx", {"input_ids": ids[:2]}, [text_name], fixed)
    with torch.no_grad():
        seen, words = see(pixel_values=pixels)[image_name], read(input_ids=ids)[text_name]
    np.savez(out / "reference.npz", photos=seen.numpy(), words=words.numpy())


def write_towers(out: Path, inputs: dict[str, list[str]]) -> None:
    """Write the models of two towers."""
    vision_config = {**_VISION, "image_size": 64, "patch_size": 16}
    tokenizer = clip(out / "clip")
    text = {**_TEXT, "vocab_size": len(tokenizer), "max_position_embeddings": 24, "eos_token_id": 2}
    common = {"projection_dim": 32}
    config = tf.CLIPConfig(text_config=text | common, vision_config=vision_config | common, **common)
    see = draw(tf.CLIPVisionModelWithProjection(config.vision_config), 8)
    read = draw(tf.CLIPTextModelWithProjection(config.text_config), 8)
    size = {"height": 64, "width": 64}
    towers(
        out / "clip", inputs, (config, (see, "image_embeds"), (read, "text_embeds")),
        tf.CLIPImageProcessorPil(size={"shortest_edge": 64}, crop_size=size),
        lambda texts: tokenizer(
            texts, padding=True, truncation=True, max_length=24, return_tensors="pt"
        ).input_ids,
    )  # fmt: skip
    for name, make, resample in (("siglip", siglip, 3), ("siglip2", siglip2, 2)):
        tokenizer = make(out / name)
        text = {
            **_TEXT,
            "vocab_size": 600,
            "max_position_embeddings": 64,
            "projection_size": 48,
            "hidden_size": 48,
        }
        whole = draw(tf.SiglipModel(tf.SiglipConfig(text_config=text, vision_config=vision_config)), 9)
        towers(
            out / name, inputs,
            (whole.config, (whole.vision_model, "pooler_output"), (whole.text_model, "pooler_output")),
            tf.SiglipImageProcessorPil(size=size, resample=resample),
            lambda texts, tokenizer=tokenizer: tokenizer(
                texts, padding="max_length", truncation=True, max_length=64, return_tensors="pt"
            ).input_ids,
        )  # fmt: skip


def sentences(
    out: Path, texts: list[str], tokenizer: object, pooling: str, prefixes: tuple[str, str]
) -> None:
    """Write a sentence model and its vectors of texts and of queries."""
    config = tf.BertConfig(**_TEXT, vocab_size=len(tokenizer), max_position_embeddings=48)
    model = draw(tf.BertModel(config, add_pooling_layer=False), 10)
    model.config.save_pretrained(out)
    vectors = {}
    for name, prefix in (("words", prefixes[0]), ("texts", prefixes[1])):
        batch = tokenizer(
            [prefix + text for text in texts],
            padding=True,
            truncation=True,
            max_length=48,
            return_tensors="pt",
        )
        with torch.no_grad():
            hidden = model(**batch).last_hidden_state
        mask = batch["attention_mask"][..., None]
        pooled = (hidden * mask).sum(1) / mask.sum(1) if pooling == "mean" else hidden[:, 0]
        vectors[name] = pooled.numpy()
    export(model, out / "onnx" / "model.onnx", {key: value[:2] for key, value in batch.items()}, [
        "last_hidden_state"
    ])  # fmt: skip
    np.savez(out / "reference.npz", **vectors)


def main(out: Path, inputs: dict[str, list[str]]) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(2)
    write_photo_models(out, inputs["photos"])
    write_towers(out, inputs)
    texts = inputs["texts"]
    sentences(out / "sentence-bert", texts, bert(out / "sentence-bert", pooling="mean"), "mean", ("", ""))
    query = "Represent this sentence for searching relevant passages: "
    sentences(out / "bge-small-en-v1.5", texts, bert(out / "bge-small-en-v1.5"), "cls", (query, ""))
    prefixes = ("query: ", "passage: ")
    sentences(out / "multilingual-e5-small", texts, e5(out / "multilingual-e5-small"), "mean", prefixes)


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()))

#!/usr/bin/env python3
"""Writes tests/queries/data/loss with the writers of the formats themselves, from one list of losses.

    python bench/oracle/loss_files.py tests/queries/data/loss

events.out.tfevents.simple   tensorboard's event file writer, scalars as simple values (PyTorch, Lightning)
events.out.tfevents.tensor   the same, scalars as tensors (TensorFlow 2, JAX)
run-offline.wandb            wandb, offline
losses.json                  what stands in all of them
"""
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

os.environ["WANDB_MODE"] = "offline"
os.environ["WANDB_SILENT"] = "true"

import numpy as np
import tensorboard
import wandb
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.summary.writer.event_file_writer import EventFileWriter

STEPS = [int(s) for s in np.unique(np.round(np.geomspace(1, 5000, 40)))]
LOSSES = [float(np.float32(1.9 + 9.0 * s**-0.3)) for s in STEPS]


def simple(value):
    return Summary(value=[Summary.Value(tag="train/loss", simple_value=value),
                          Summary.Value(tag="train/learning_rate", simple_value=1e-3)])


def tensor(value, packed):
    proto = TensorProto(dtype=1, tensor_shape=TensorShapeProto())
    if packed:
        proto.tensor_content = np.float32(value).tobytes()
    else:
        proto.float_val.append(value)
    metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="scalars"))
    return Summary(value=[Summary.Value(tag="train/loss", tensor=proto, metadata=metadata)])


def events(path, summary):
    with tempfile.TemporaryDirectory() as folder:
        writer = EventFileWriter(folder)
        for index, (step, loss) in enumerate(zip(STEPS, LOSSES)):
            writer.add_event(Event(wall_time=1.7e9 + step, step=step, summary=summary(index, loss)))
        writer.close()
        shutil.copy(next(Path(folder).iterdir()), path)


def wandb_run(path):
    with tempfile.TemporaryDirectory() as folder:
        run = wandb.init(dir=folder, project="p", settings=wandb.Settings(
            console="off", x_disable_stats=True, x_disable_meta=True, disable_git=True, save_code=False))
        for step, loss in zip(STEPS, LOSSES):
            run.log({"train/loss": loss, "note": "x" * (7000 if step > 1000 else 1)}, step=step)  # some span blocks
        run.finish()
        shutil.copy(next(Path(folder).rglob("*.wandb")), path)


def main():
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    events(out / "events.out.tfevents.simple", lambda _, loss: simple(loss))
    events(out / "events.out.tfevents.tensor", lambda index, loss: tensor(loss, index % 2))
    wandb_run(out / "run-offline.wandb")
    (out / "losses.json").write_text(json.dumps({"steps": STEPS, "losses": LOSSES}))
    (out / "README.md").write_text(
        f"Written by `bench/oracle/loss_files.py` with tensorboard {tensorboard.__version__} and wandb "
        f"{wandb.__version__}, from invented losses (`losses.json`).\n")


main()

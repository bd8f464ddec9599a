"""Export a network to ONNX and check that the file computes the same scores."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn

from faceattr.errors import DataError, MissingDependencyError
from faceattr.models.base import FaceModel

#: Largest difference between a logit of the file and of the network that an export may show.
TOLERANCE = 1e-5


class _LogitsOnly(nn.Module):
    """ONNX graphs return tensors, not dataclasses."""

    def __init__(self, model: FaceModel):
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return self.model(images).logits  # (B, M)


def export_onnx(
    model: FaceModel, path: Path | str, *, size: tuple[int, int], names: tuple[str, ...]
) -> float:
    """Write ``model`` as one ONNX file: ``images (B, 3, H, W)`` in [0, 1] to ``logits (B, M)``.

    Batch, height and width stay free, from the network's smallest picture on. The file is checked
    with onnxruntime on random pictures of another batch size before it takes its place, so a wrong
    file is never left behind.

    Args:
        model: the network; it is exported in evaluation mode.
        path: the file to write.
        size: height and width that the network was trained at, recorded in the file.
        names: the attributes' names, recorded in the file.

    Returns:
        The largest absolute difference between the file's logits and the network's.

    Raises:
        MissingDependencyError: onnx, onnxscript or onnxruntime is absent.
        DataError: the file's scores differ by more than :data:`TOLERANCE`, or the folder cannot
            be written.
    """
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401  (torch.onnx needs it and says so only late)
    except ImportError as error:
        raise MissingDependencyError(
            f"{error.name} is not installed: pip install onnx onnxscript onnxruntime"
        ) from error
    path = Path(path)
    network = _LogitsOnly(model).cpu().eval()
    height, width = size
    # A network that pools needs so many pixels; unless it is told, torch traces it, fails, and
    # traces it again.
    least = {"min": model.smallest} if model.smallest > 1 else {}
    free = {
        0: torch.export.Dim("batch"),
        2: torch.export.Dim("height", **least),
        3: torch.export.Dim("width", **least),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            draft = Path(folder) / "draft.onnx"
            program = torch.onnx.export(
                network,
                (torch.rand(2, 3, height, width),),
                input_names=["images"],
                output_names=["logits"],
                dynamo=True,
                external_data=False,
                dynamic_shapes=(free,),
                verbose=False,
            )
            program.save(str(draft))
            graph = onnx.load(draft)
            for key, value in {"names": list(names), "size": list(size)}.items():
                entry = graph.metadata_props.add()
                entry.key, entry.value = f"faceattr.{key}", json.dumps(value)
            onnx.checker.check_model(graph)
            onnx.save(graph, draft)
            gap = _gap(network, draft, onnxruntime, (3, 3, height, width))
            if not gap <= TOLERANCE:
                raise DataError(
                    f"{path} was not written: its logits differ from the network's by {gap:.1e}, "
                    f"more than {TOLERANCE:.0e}; another onnxruntime or torch version may help"
                )
            os.replace(draft, path)
    except OSError as error:
        raise DataError(f"cannot write {path} ({error}): choose another --onnx FILE") from error
    return gap


def _gap(network: nn.Module, file: Path, onnxruntime, shape: tuple[int, ...]) -> float:
    images = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    theirs = torch.from_numpy(session.run(["logits"], {"images": images.numpy()})[0])
    with torch.no_grad():
        return float((theirs - network(images)).abs().max())

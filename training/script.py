"""A model's training as one PyTorch script that needs nothing of this lab: for a student to read, run and change.

It draws the very same random numbers in the same order as `training.fit`, so that it gets the same test accuracy.
"""

import re
from typing import Any

from training.fit import Progress
from training.options import change
from training.task import Settings
from training.tasks import TASKS

HEAD = '''"""{title}.

Trains it from nothing but the data, and measures it on the test data.
Needs torch{more}. Written by RNN Lab.
"""

{math}import os

os.environ["OMP_NUM_THREADS"] = "1"  # the same sums in the same order on every machine

import torch{imports}
from torch import nn
from torch.nn import functional as F

'''

READOUTS = {
    "every": "        return self.linear(output).squeeze(-1)  # an answer at every time step\n",
    "last": "        return self.linear(output[:, -1])  # the output at the last time step\n",
    "pooled": """        # the largest and the mean output over all time steps
        return self.linear(torch.cat([output.amax(1), output.mean(1)], dim=1))
""",
    "final": """        # the final state of each direction: the backward one ends at time step 0
        forward, backward = output[:, -1, :HIDDEN_SIZE], output[:, 0, HIDDEN_SIZE:]
        return self.linear(torch.cat([forward, backward], dim=1))
""",
}
NETWORK = """

class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.recurrent = nn.{cell}({sizes})
        self.linear = nn.Linear({features}, {output_size})
{forget_bias}
    def forward(self, x):
        output, _ = self.recurrent(x)
{readout}

"""
FORGET_BIAS = """        for name, bias in self.recurrent.named_parameters():
            if name.startswith("bias_ih"):  # open forget gates: it begins by keeping
                with torch.no_grad():
                    bias[HIDDEN_SIZE : 2 * HIDDEN_SIZE] += FORGET_BIAS
"""
LOSSES = {
    "cross_entropy": "F.cross_entropy(logits, y)",
    "label_smoothing": "F.cross_entropy(logits, y, label_smoothing=0.05)",
    "bce": "F.binary_cross_entropy_with_logits(logits, y)",
    "mse": "F.mse_loss(torch.sigmoid(logits), y)",
}
# What the learning rate is multiplied by.
FACTORS = {
    "constant": "",
    "linear": "(1 - step / steps)",
    "one_cycle": "one_cycle(step / steps)",
    "two_cycles": "two_cycles(step / steps)",
}
ONE_CYCLE = '''
def one_cycle(done):
    """Up during the first tenth of all steps, then down along a cosine."""
    if done < 0.1:
        return max(0.01, 10 * done)
    return (1 + math.cos(math.pi * (done - 0.1) / 0.9)) / 2

'''
TWO_CYCLES = '''
def two_cycles(done):
    """One cycle of three fifths of all steps, then another one of half the height."""
    return one_cycle(done / 0.6) if done < 0.6 else one_cycle((done - 0.6) / 0.4) / 2

'''
CYCLES = {"one_cycle": ONE_CYCLE, "two_cycles": ONE_CYCLE + TWO_CYCLES}
LOOP = '''
def shuffled(epoch):
    """All batches of an epoch in random order, each of one length."""
    generator = torch.Generator().manual_seed(SEED * 1_000_003 + epoch)
    order = []
    for x, y in train:
        for part in torch.randperm(len(x), generator=generator).split(BATCH_SIZE):
            order.append((x, y, part))
    for number in torch.randperm(len(order), generator=generator).tolist():
        x, y, part = order[number]
        yield x[part], y[part]


torch.manual_seed(SEED)
network = Network()
optimizer = torch.optim.Adam(
    network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True
)
{before}for epoch in range(EPOCHS):
    for x, y in shuffled(epoch):
{step}    print(f"epoch {{epoch + 1}} of {{EPOCHS}}, training loss {{loss.item():.4f}}")
{after}'''
STOP = ["if step == BEST_STEP:", "    break"]  # out of the epoch, then of the loop over epochs
EXAM = """
right, total = 0, 0
with torch.inference_mode():
    for x, y in test:
        for inputs, targets in zip(x.split(1000), y.split(1000)):
            right += (network(inputs).argmax(-1) == targets).sum().item()
            total += len(targets)
print(f"test accuracy {right / total:.2%}")
"""
EXAM_OF_BITS = """
with torch.inference_mode():
    for x, y in test:
        right = (network(x) > 0) == (y > 0.5)
print(f"test bit accuracy {right.double().mean():.2%}")
print(f"test whole-sum accuracy {right.all(-1).double().mean():.2%}")
"""


def script(card: dict[str, Any]) -> str:
    """The script for the model with this card; that of a run which was stopped ends with its best network, too.

    Raises ValueError, in one sentence, for a network that no script can train, and for a card whose settings are out of
    range: nothing else gets into the text.
    """
    settings, best_step = _checked(card), _best_step(card)
    task = TASKS[settings.task]
    data = task.script(settings)
    torchvision = "torchvision" in data
    kind = f"{'bidirectional ' if settings.bidirectional else ''}{settings.cell.upper()}"
    layers = "1 layer" if settings.num_layers == 1 else f"{settings.num_layers} layers"
    head = HEAD.format(
        title=f"{settings.task.capitalize()} with a {kind}, {layers} of {settings.hidden_size} hidden units",
        more=" and torchvision" if torchvision else "",
        math="import math\n" if settings.schedule in CYCLES else "",
        imports="\nimport torchvision" if torchvision else "",
    )
    sizes = f"{task.input_size}, HIDDEN_SIZE, NUM_LAYERS, batch_first=True"
    network = NETWORK.format(
        cell=settings.cell.upper(),
        sizes=f"\n            {sizes}, bidirectional=True\n        " if settings.bidirectional else sizes,
        features=_features(settings),
        output_size=task.output_size,
        forget_bias=FORGET_BIAS if _has_forget_bias(settings) else "",
        readout=_readout(settings).rstrip("\n"),
    )
    exam = EXAM_OF_BITS if settings.readout == "every" else EXAM
    schedule = CYCLES.get(settings.schedule, "")
    half = card.get("precision") == "bfloat16"
    loop = _loop(settings, half, best_step is not None)
    code = data + network + schedule + loop + exam
    return head + _constants(settings, best_step, code) + code


def _checked(card: dict[str, Any]) -> Settings:
    settings = Settings.of(card)
    task = TASKS.get(settings.task)
    if task is None:
        raise ValueError("This card names no task of the lab.")
    own = {name: value for name, value in settings.to_dict().items() if name not in ("task", "data")}
    return change(task.defaults, settings.data | own)


def _best_step(card: dict[str, Any]) -> int | None:
    """The optimiser step of the best network, which a run that was stopped keeps; None for one trained to its end.

    Raises ValueError, in one sentence, for a network of which no training is known.
    """
    if card.get("by_hand"):
        raise ValueError("The weights of this network were set by hand: no script can train it.")
    curves = [Progress(**each) for each in card.get("curves", [])]
    if "curves" in card and not curves:
        raise ValueError("No script can be had of this network: its card says nothing of how it was trained.")
    if any(type(each.step) is not int or each.step < 1 or not each.metrics for each in curves):
        raise ValueError("No script can be had of this network: its card has learning curves that are none.")
    # One with the best was stopped, if only while its last network was measured.
    if not curves or (curves[-1].step >= curves[-1].steps and card.get("kept") != "best"):
        return None
    return max(curves, key=lambda each: (each.merit(), each.step)).step  # a run keeps the last of several as good


def _has_forget_bias(settings: Settings) -> bool:
    return settings.cell == "lstm" and settings.forget_bias > 0


def _features(settings: Settings) -> str:
    """How many numbers the linear layer reads."""
    count = (2 if settings.bidirectional else 1) * (2 if settings.readout == "pooled" else 1)
    return f"{count} * HIDDEN_SIZE" if count > 1 else "HIDDEN_SIZE"


def _readout(settings: Settings) -> str:
    """One direction ends at the last time step, so there "final" is "last"."""
    final_of_one = settings.readout == "final" and not settings.bidirectional
    return READOUTS["last" if final_of_one else settings.readout]


def _constants(settings: Settings, best_step: int | None, code: str) -> str:
    """The settings that the code names, as constants."""
    every = {name: value for name, value in settings.to_dict().items() if name != "data"} | settings.data
    named = {name.upper(): value for name, value in every.items() if re.search(rf"\b{name.upper()}\b", code)}
    lines = [f"{name} = {value!r}\n" for name, value in named.items()]
    lines += [f"BEST_STEP = {best_step}  # the run was stopped, and kept its network of this step\n"] * bool(best_step)
    return "".join(lines)


def _loop(settings: Settings, half: bool, stopped: bool) -> str:
    """The training loop with no more in it than this run used."""
    factor = FACTORS[settings.schedule]
    falls = bool(factor)
    lines = ["for group in optimizer.param_groups:", f'    group["lr"] = LEARNING_RATE * {factor}'] * falls
    lines += _step(settings, half) + ["step += 1"] * (falls or stopped)
    lines += STOP * stopped
    before = "step, steps = 0, EPOCHS * sum(-(-len(x) // BATCH_SIZE) for x, y in train)\n" if falls else ""
    before = before or "step = 0\n" * stopped
    return LOOP.format(before=before, step=_indented(lines, 8), after=_indented(STOP * stopped, 4))


def _step(settings: Settings, half: bool) -> list[str]:
    """The lines of one optimiser step, with the forward pass in bfloat16 where `half`."""
    loss = LOSSES[settings.loss]
    lines = ["logits = network(x)"]
    if half:
        lines = ['with torch.autocast("cpu", torch.bfloat16):', "    logits = network(x)"]
    lines += [f"loss = {loss.replace('logits', 'logits.float()', 1) if half else loss}"]
    lines += ["optimizer.zero_grad()", "loss.backward()"]
    if settings.gradient_clipping:
        lines += ["nn.utils.clip_grad_norm_(network.parameters(), GRADIENT_CLIPPING)"]
    return [*lines, "optimizer.step()"]


def _indented(lines: list[str], blanks: int) -> str:
    return "".join(f"{' ' * blanks}{line}\n" for line in lines)

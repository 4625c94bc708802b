"""What the lab report says it measured: the numbers that ours stand beside, and what it tested."""

# Section 3.1: test accuracy by network and weight decay, after a grid search over layers and hidden units.
DIGITS = {
    ("RNN", 0.0): 0.899,
    ("RNN", 1e-3): 0.890,
    ("GRU", 0.0): 0.976,
    ("GRU", 1e-3): 0.945,
    ("BiLSTM", 0.0): 0.964,
    ("BiLSTM", 1e-3): 0.938,
}
GRID_CHOICE = {"RNN": (2, 128), "GRU": (2, 256), "BiLSTM": (2, 128)}  # layers, hidden units
# Section 3.2: test accuracy by hidden units, index 1.
RECALL = {2: 0.470, 5: 0.958, 10: 1.0}
# Its sixteen test sequences, section 3.2.4, all asked for index 1.
SIXTEEN = (
    "375",
    "246",
    "8879",
    "8807",
    "74768",
    "69228",
    "072182",
    "830382",
    "5188973",
    "6112036",
    "41582953",
    "52504385",
    "258212969",
    "008884971",
    "2421431791",
    "1565211978",
)
# Section 3.3: bit accuracy on the test sums by hidden units and loss.
ADDITION = {
    (2, "bce"): 0.809,
    (5, "bce"): 0.989,
    (10, "bce"): 1.0,
    (2, "mse"): 1.0,
    (5, "mse"): 1.0,
    (10, "mse"): 1.0,
}

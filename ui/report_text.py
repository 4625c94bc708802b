"""The Report page's explanations, for a student who reads them beside the figures."""

GRID = """A *grid search* trains one network for every combination of settings and keeps the one that does best on
validation data. The test data are looked at once, in the end: whoever chooses by the test data, as the report did,
reports luck along with skill. Where two settings lie closer together than the seeds of one of them, the grid has not
chosen between them: another seed would have chosen otherwise."""

DIGITS = """A vanilla RNN multiplies its state by the same matrix at every row and squeezes it through a tanh. Going
back from the answer to the first rows, the gradient is multiplied by the same numbers each time and *vanishes*: what
the top of the image says is learned slowly. A GRU's *update gate* lets a unit keep its value as it is, so the
gradient passes unharmed; an LSTM has a *cell state* that is only added to, which does the same. That is why both read
better, and why they get there in fewer steps."""

REGULARISATION = """*Weight decay* pulls every weight towards zero. It helps a network that learns its training data
by heart. After five passes over 50,000 images none of these networks has done that: training and test loss still fall
together. So the pull only makes the fit worse, and the difference is larger than that between seeds."""

SAMPLES = """Most images that a good network misreads are hard for people, too: a 4 that is closed on top, a 7 with a
loop. The *confusion matrix* counts for every true digit (row) what the network said (column): mistakes come in pairs
that look alike."""

RECALL = """To name the digit at index 1, a network must keep one of ten digits while others pass: its state needs ten
places far enough apart. With two units per direction they lie in a plane, and training rarely finds ten that it can
tell apart; with ten units it always does. A *bidirectional* network has two chances: the forward direction must keep
the second digit until the end, the backward one sees it last but one. Read where each direction ends, both have read
everything. Read at the last digit, the backward direction has seen that digit only."""

LENGTHS = """A network that has found the rule does not care how long a sequence is. One that only keeps the digit for
as long as it was trained to forgets it somewhere beyond: the state drifts a little with every digit that passes."""

ADDITION = """Adding needs one bit of memory: the *carry*. At each column the sum bit is a + b + carry, modulo 2, and
the new carry is 1 when at least two of them are. A plain tanh RNN with two units can hold that (there are weights
that do), but from a random start gradient descent practically never finds them; with five units there are so many
ways that it nearly always finds one. Gates help: an LSTM's or a GRU's unit is made for keeping a bit."""

OVERFITTING = """An adder is *perfect* when its state comes back to the same two places, "carry" and "no carry",
however long the numbers are. If a long carry chain (0111...1 + 1) moves it a little further with every bit, it fails
in the end, and random numbers never show it: a carry that travels 20 places comes up once in a million random
sums."""

"""Runs a .tflite model RUNS times on one thread: tflite.py PACKAGES MODEL RUNS. For bench/instructions.py, inside the emulator."""
import sys

sys.path.insert(0, sys.argv[1])
import numpy
from tflite_runtime.interpreter import Interpreter

interpreter = Interpreter(model_path=sys.argv[2], num_threads=1)
interpreter.allocate_tensors()
noise = numpy.random.default_rng(1)
for tensor in interpreter.get_input_details():
    if numpy.issubdtype(tensor["dtype"], numpy.floating):
        values = noise.uniform(-1, 1, tensor["shape"])
    else:
        info = numpy.iinfo(tensor["dtype"])
        values = noise.integers(info.min, info.max + 1, tensor["shape"])
    interpreter.set_tensor(tensor["index"], values.astype(tensor["dtype"]))
for _ in range(int(sys.argv[3])):
    interpreter.invoke()

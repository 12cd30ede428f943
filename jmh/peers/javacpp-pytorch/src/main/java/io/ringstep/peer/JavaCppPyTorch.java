package io.ringstep.peer;

import static io.ringstep.workload.Problem.HIDDEN;
import static io.ringstep.workload.Problem.INPUTS;

import io.ringstep.workload.Peer;
import io.ringstep.workload.Problem;
import java.io.IOException;
import java.io.UncheckedIOException;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * PyTorch's C++ API through JavaCPP. Its fastest form: tensors and autograd without modules and without an optimizer
 * object, batches sliced beforehand, and every step's tensors freed by a scope rather than by the garbage collector.
 */
public final class JavaCppPyTorch implements Peer {
  private static final Scalar MINUS_LR = new Scalar(-Problem.LEARNING_RATE);

  private int rows;
  private Tensor x;
  private Tensor y;
  private Tensor[] parameters; // fc1.weight, fc1.bias, fc2.weight, fc2.bias
  private TensorVector parameterVector;
  private Tensor[] xBatches = {};
  private Tensor[] yBatches = {};
  private float[] answers;

  @Override
  public String version() {
    try {
      return "JavaCPP-PyTorch " + Loader.getVersion("org.bytedeco", "pytorch");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void open(float[] start, Problem problem, int threads) {
    torch.set_num_threads(threads);
    rows = problem.rows;
    answers = new float[rows];
    x = tensor(problem.x, 0, rows, INPUTS);
    y = tensor(problem.y, 0, rows, 1);
    int w1 = HIDDEN * INPUTS;
    parameters =
        new Tensor[] {
          tensor(start, 0, HIDDEN, INPUTS), tensor(start, w1, HIDDEN),
          tensor(start, w1 + HIDDEN, 1, HIDDEN), tensor(start, w1 + 2 * HIDDEN, 1)
        };
    for (Tensor parameter : parameters) {
      parameter.set_requires_grad(true);
    }
    parameterVector = new TensorVector(parameters);
  }

  @Override
  public void train(int batch, int steps) {
    slice(batch);
    for (int s = 0; s < steps; s++) {
      try (PointerScope step = new PointerScope()) {
        int b = s % xBatches.length;
        Tensor loss = torch.mse_loss(forward(xBatches[b]), yBatches[b]);
        TensorVector gradients = torch.grad(new TensorVector(loss), parameterVector);
        NoGradGuard update = new NoGradGuard();
        for (int k = 0; k < parameters.length; k++) {
          parameters[k].add_(gradients.get(k), MINUS_LR);
        }
        update.close();
      }
    }
  }

  private Tensor forward(Tensor in) {
    return torch.linear(torch.linear(in, parameters[0], parameters[1]), parameters[2], parameters[3]);
  }

  @Override
  public float[] predict(int batch) {
    slice(batch);
    for (int b = 0; b < xBatches.length; b++) {
      try (PointerScope call = new PointerScope()) {
        NoGradGuard prediction = new NoGradGuard();
        new FloatPointer(forward(xBatches[b]).data_ptr_float()).get(answers, b * batch, batch);
        prediction.close();
      }
    }
    return answers;
  }

  private void slice(int batch) {
    if (xBatches.length != rows / batch) {
      xBatches = new Tensor[rows / batch];
      yBatches = new Tensor[rows / batch];
      for (int b = 0; b < xBatches.length; b++) {
        xBatches[b] = x.narrow(0, (long) b * batch, batch);
        yBatches[b] = y.narrow(0, (long) b * batch, batch);
      }
    }
  }

  @Override
  public float[] parameters() {
    float[] flat = new float[Problem.PARAMETERS];
    int k = 0;
    for (Tensor parameter : parameters) {
      int length = (int) parameter.numel();
      new FloatPointer(parameter.data_ptr_float()).get(flat, k, length);
      k += length;
    }
    return flat;
  }

  @Override
  public void close() {}

  private static Tensor tensor(float[] values, int from, long... shape) {
    int length = 1;
    for (long size : shape) {
      length *= (int) size;
    }
    try (FloatPointer copy = new FloatPointer(length)) {
      copy.put(values, from, length);
      return torch.from_blob(copy, shape).clone();
    }
  }
}

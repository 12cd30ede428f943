package io.ringstep.cli;

import static io.ringstep.cli.PlainLoop.INPUTS;

import io.ringstep.Dataset;
import io.ringstep.Device;
import io.ringstep.Fit;
import io.ringstep.Model;
import io.ringstep.Network;
import io.ringstep.Sgd;
import io.ringstep.Trainer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.Locale;
import java.util.Random;
import java.util.function.Consumer;

/** The headline figures of Linear(10→20→1), each on a device and beside a plain Java loop where there is one. */
final class Headlines {
  private static final Network NETWORK = Network.of(INPUTS, PlainLoop.HIDDEN, 1);
  private static final double LEARNING_RATE = 0.01;
  private static final int ROWS = 10_000;
  private static final int MANY_ROWS = 1 << 20;
  private static final int[] BATCHES = {64, 16_384, MANY_ROWS};
  private static final float TOLERANCE = 1e-5f;

  private final float[] start;
  private final float[] x;
  private final float[] y;
  private Timing plainStep;
  private Timing plainBatch; // of one sample of a batch
  private Timing plainPrediction;

  /**
   * One figure.
   *
   * @param device as {@code --device} takes it
   * @param name what one operation is
   * @param timing of one operation
   * @param samples that one operation works on
   * @param plain the plain Java loop's, or null
   */
  record Headline(String device, String name, Timing timing, long samples, Timing plain) {
    /** A sample's time in the plain loop over that here; above 1 is faster. */
    double beside() {
      return plain.median() * samples / timing.median();
    }
  }

  Headlines() {
    Random random = new Random(1);
    start = PlainLoop.start(random);
    x = new float[MANY_ROWS * INPUTS];
    y = new float[MANY_ROWS];
    for (int r = 0; r < MANY_ROWS; r++) {
      float target = 0;
      for (int i = 0; i < INPUTS; i++) {
        x[r * INPUTS + i] = (float) random.nextGaussian();
        target += 0.1f * (i - 4) * x[r * INPUTS + i];
      }
      y[r] = target + 0.1f * (float) random.nextGaussian();
    }
  }

  /** Times the plain Java loop. */
  void measurePlainJava() {
    float[] rows = Arrays.copyOf(x, ROWS * INPUTS);
    float[] targets = Arrays.copyOf(y, ROWS);
    float[] answers = new float[ROWS];
    PlainLoop loop = new PlainLoop(start, LEARNING_RATE);
    plainStep = Timing.of(ROWS, () -> loop.train(rows, targets));
    plainBatch = Timing.of(ROWS, () -> loop.trainBatch(rows, targets));
    plainPrediction = Timing.of(ROWS, () -> loop.predict(rows, answers));
  }

  /** Times the device, and gives each figure as it comes. */
  void measure(Device device, Consumer<Headline> out) {
    try (Dataset few = Dataset.of(Arrays.copyOf(x, ROWS * INPUTS), Arrays.copyOf(y, ROWS), INPUTS, 1);
        Dataset many = Dataset.of(x, y, INPUTS, 1);
        Trainer trainer =
            Trainer.builder(new Model(NETWORK, start)).optimizer(new Sgd(LEARNING_RATE)).device(device).build()) {
      requireAgreement(trainer, few);
      Fit oneByOne = Fit.epochs(1).batch(1);
      figure(out, device, "step, batch 1, in fit", ROWS, 1, plainStep, () -> trainer.fit(few, oneByOne));
      float[][] xRows = new float[ROWS][];
      float[][] yRows = new float[ROWS][];
      for (int r = 0; r < ROWS; r++) {
        xRows[r] = Arrays.copyOfRange(x, r * INPUTS, (r + 1) * INPUTS);
        yRows[r] = new float[] {y[r]};
      }
      boolean gpu = !device.toString().startsWith("cpu");
      int calls = gpu ? ROWS / 100 : ROWS; // a call a step costs a GPU a thousand times more
      figure(out, device, "step, batch 1, a call each", calls, 1, plainStep, () -> {
        for (int r = 0; r < calls; r++) {
          trainer.step(xRows[r], yRows[r]);
        }
      });
      for (int batch : BATCHES) {
        Fit epoch = Fit.epochs(1).batch(batch);
        String name = String.format(Locale.ROOT, "step, batch %,d", batch);
        figure(out, device, name, MANY_ROWS / batch, batch, plainBatch, () -> trainer.fit(many, epoch));
      }
      FloatBuffer in = direct(MANY_ROWS * INPUTS).put(x).flip();
      FloatBuffer answers = direct(MANY_ROWS);
      figure(out, device, "prediction of one row", calls, 1, plainPrediction, () -> {
        for (int r = 0; r < calls; r++) {
          trainer.predict(in.limit((r + 1) * INPUTS).position(r * INPUTS), answers.limit(r + 1).position(r));
        }
        in.clear();
        answers.clear();
      });
      figure(out, device, "prediction of 1,048,576 rows", 1, MANY_ROWS, plainPrediction,
          () -> trainer.predict(in, answers));
    }
  }

  /** Nothing is timed that does not train as the plain loop does. */
  private void requireAgreement(Trainer trainer, Dataset few) {
    PlainLoop loop = new PlainLoop(start, LEARNING_RATE);
    loop.train(Arrays.copyOf(x, ROWS * INPUTS), Arrays.copyOf(y, ROWS));
    trainer.fit(few, Fit.epochs(1).batch(1));
    float[] expected = loop.parameters();
    float[] actual = trainer.parameters();
    for (int k = 0; k < expected.length; k++) {
      if (!(Math.abs(actual[k] - expected[k]) <= TOLERANCE)) {
        throw new IllegalStateException(
            "after " + ROWS + " steps parameter " + k + " is " + actual[k] + " where a plain Java loop has "
                + expected[k] + ", so nothing is timed");
      }
    }
  }

  private static void figure(
      Consumer<Headline> out, Device device, String name, long operations, long samples, Timing plain, Runnable work) {
    out.accept(new Headline(device.toString(), name, Timing.of(operations, work), samples, plain));
  }

  private static FloatBuffer direct(int length) {
    return ByteBuffer.allocateDirect(length * Float.BYTES).order(ByteOrder.nativeOrder()).asFloatBuffer();
  }
}

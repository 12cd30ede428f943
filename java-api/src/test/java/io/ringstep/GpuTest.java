package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What only a GPU can show: beside the CPU, again and again, and when it has too little memory. */
@OnGpu
class GpuTest {
  @Test
  void theTestsRunOnAGpu() {
    try (Trainer trainer = Trainer.of(Network.of(10, 20, 1), new Sgd(0.01))) {
      assertEquals("cuda:0", trainer.device().toString());
      assertEquals("persistent", trainer.path(1));
      assertEquals("fused", trainer.path(100_000));
    }
    try (Trainer trainer = Trainer.of(Network.of(100, 200, 3), new Sgd(0.01))) {
      assertEquals("layered", trainer.path(1));
    }
  }

  /** Every path gives what the CPU gives, as far as float32 goes, and the same bits each time. */
  @ParameterizedTest
  @EnumSource
  void trainsAsTheCpuDoesAndAlwaysWithTheSameBits(TrainingRun run) {
    for (boolean shuffled : new boolean[] {false, true}) {
      float[] cpu = run.train(Device.cpu(), shuffled).parameters();
      float[] gpu = run.train(Device.cuda(), shuffled).parameters();
      for (int again = 0; again < 10; again++) {
        Bits.assertSame(gpu, run.train(Device.cuda(), shuffled).parameters(), run + ", again");
      }
      double difference = 0;
      double size = 0;
      for (int i = 0; i < cpu.length; i++) {
        difference += Math.pow(gpu[i] - cpu[i], 2);
        size += Math.pow(cpu[i], 2);
      }
      double off = Math.sqrt(difference / size);
      assertTrue(off < 1e-3, run + ", shuffled " + shuffled + ": parameters off the CPU's by " + off);
    }
  }

  @Test
  void tooLittleMemoryIsToldAndTheTrainerGoesOn() {
    Network large = Network.of(1, 1 << 22, 1);
    List<Trainer> kept = new ArrayList<>();
    try (Trainer small = Trainer.of(Network.of(10, 20, 1), new Adam(0.01))) {
      // Each takes some hundred megabytes.
      CudaOutOfMemoryException full =
          assertThrows(
              CudaOutOfMemoryException.class,
              () -> {
                while (kept.size() < 10_000) {
                  kept.add(Trainer.of(large, new Adam(0.01)));
                }
              });
      assertTrue(full.getMessage().contains("out of memory"), full.getMessage());
      small.step(new float[10], new float[1]);
      assertTrue(Double.isFinite(small.loss()));
    } finally {
      kept.forEach(Trainer::close);
    }
    try (Trainer again = Trainer.of(large, new Adam(0.01))) {
      assertEquals(3 * (1 << 22) + 1, again.parameters().length);
    }
  }

  @Test
  void tf32IsNearFloat32WhereItIsAskedFor() {
    Network network = Network.of(10, 20, 1).withActivation(Activation.TANH);
    Rows rows = Rows.random(5, 20_000, network);
    try (Trainer exact = Trainer.of(network, new Sgd(0.01));
        Trainer fast = Trainer.builder(network).optimizer(new Sgd(0.01)).precision(Precision.TF32).build()) {
      assertEquals("fused-tf32", fast.path(20_000));
      float[] expected = exact.gradient(rows.x(), rows.y());
      float[] actual = fast.gradient(rows.x(), rows.y());
      double difference = 0;
      double size = 0;
      for (int i = 0; i < expected.length; i++) {
        difference += Math.pow(actual[i] - expected[i], 2);
        size += Math.pow(expected[i], 2);
      }
      assertTrue(Math.sqrt(difference / size) < 5e-3, "gradients off by " + Math.sqrt(difference / size));
    }
  }
}

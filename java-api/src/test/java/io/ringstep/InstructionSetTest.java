package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What {@code RINGSTEP_SIMD} chooses at load, and the numbers that come of it. */
class InstructionSetTest {
  private static final List<String> BEST_FIRST = List.of("avx512", "avx2", "baseline");

  @TempDir Path folder;

  /** The child's program: every training run, saved to the working directory. */
  static final class Child {
    public static void main(String[] args) throws IOException {
      for (TrainingRun run : TrainingRun.values()) {
        run.train(Device.auto(), true).save(Path.of(run.name()));
      }
      System.out.print(instructionSet());
    }
  }

  @Test
  void avx512AndAvx2GiveTheSameBits() throws Exception {
    Path avx512 = trainWith("avx512");
    Path avx2 = trainWith("avx2");
    for (TrainingRun run : TrainingRun.values()) {
      Bits.assertSame(parameters(avx512, run), parameters(avx2, run), run.name());
    }
  }

  @Test
  void baselineAgreesUpToRounding() throws Exception {
    Path baseline = trainWith("baseline");
    for (TrainingRun run : TrainingRun.values()) {
      float[] expected = run.train(Device.auto(), true).parameters();
      float[] actual = parameters(baseline, run);
      for (int i = 0; i < expected.length; i++) {
        assertEquals(expected[i], actual[i], 1e-5 * Math.max(1, Math.abs(expected[i])), run + ", parameter " + i);
      }
    }
  }

  private Path trainWith(String instructionSet) throws Exception {
    String best = instructionSet();
    assumeTrue(
        BEST_FIRST.indexOf(best) <= BEST_FIRST.indexOf(instructionSet),
        "this processor has no " + instructionSet + ": the engine chose " + best);
    Path directory = Files.createDirectory(folder.resolve(instructionSet));
    String used =
        new ChildJvm(directory).environment(Map.of("RINGSTEP_SIMD", instructionSet)).run(Child.class.getName());
    assertEquals(instructionSet, used);
    return directory;
  }

  private static float[] parameters(Path directory, TrainingRun run) {
    return Model.load(directory.resolve(run.name())).parameters();
  }

  private static String instructionSet() {
    return Backends.report().get(0).detail().split(",")[0];
  }
}

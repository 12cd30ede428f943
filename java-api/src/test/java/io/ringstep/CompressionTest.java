package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.ringstep.internal.ModelFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class CompressionTest {
  private static final Network NETWORK = Network.of(10, 20, 3).withActivation(Activation.TANH);

  @TempDir Path folder;

  private static Model random(long seed) {
    Random random = new Random(seed);
    float[] parameters = new float[NETWORK.parameterCount()];
    for (int i = 0; i < parameters.length; i++) {
      // Rows of very different size, as after training.
      parameters[i] = (float) (random.nextGaussian() * Math.pow(2, i / 10 % 23 - 15));
    }
    return new Model(NETWORK, parameters);
  }

  @ParameterizedTest
  @EnumSource
  void aFileGivesTheSameParametersAndPredictions(Encoding encoding) throws IOException {
    float[] x = new float[40];
    Random random = new Random(5);
    for (int i = 0; i < x.length; i++) {
      x[i] = 3 * random.nextFloat();
    }
    for (int seed = 0; seed < 50; seed++) {
      Model compressed = random(seed).compressed(encoding);
      Path file = folder.resolve("model.safetensors");
      compressed.save(file);
      Model read = Model.load(file);
      assertEquals(encoding, read.encoding());
      assertArrayEquals(compressed.parameters(), read.parameters());
      assertArrayEquals(compressed.predict(x), read.predict(x));
      assertArrayEquals(compressed.parameters(), read.compressed(encoding).parameters(), "twice is once");
    }
  }

  @Test
  void halvesRoundToElevenBits() {
    float[] full = random(1).parameters();
    float[] half = random(1).compressed(Encoding.FLOAT16).parameters();
    for (int i = 0; i < full.length; i++) {
      assertEquals(full[i], half[i], Math.max(Math.abs(full[i]) * 0x1p-11, 0x1p-25));
    }
  }

  @Test
  void bytesMissByAtMostHalfAStepOfTheirRow() {
    float[] full = random(2).parameters();
    float[] small = random(2).compressed(Encoding.INT8).parameters();
    for (Network.Parameter weight : NETWORK.parameters()) {
      int columns = weight.shape().size() == 2 ? weight.shape().get(1) : 1;
      for (int row = weight.offset(); row < weight.offset() + weight.size(); row += columns) {
        double largest =
            IntStream.range(row, row + columns).mapToDouble(i -> Math.abs(full[i])).max().orElseThrow();
        double step = weight.shape().size() == 2 ? largest / 127 * (1 + 0x1p-15) : 0;
        for (int i = row; i < row + columns; i++) {
          assertEquals(full[i], small[i], step / 2 * (1 + 1e-6));
        }
      }
    }
  }

  @Test
  void bytesTakeAQuarter() throws IOException {
    Network network = Network.of(256, 256, 1);
    Model model = new Model(network, new float[network.parameterCount()]);
    Path full = folder.resolve("full.safetensors");
    model.save(full);
    Path small = folder.resolve("small.safetensors");
    model.compressed(Encoding.INT8).save(small);
    assertTrue(Files.size(small) < Files.size(full) * 0.27, Files.size(small) + " of " + Files.size(full));
  }

  @Test
  void prunesTheSmallestWeightsAndNoBias() {
    float[] full = random(3).parameters();
    float[] left = random(3).pruned(0.3).parameters();
    double largestGone = 0;
    double smallestLeft = Double.MAX_VALUE;
    int gone = 0;
    int weights = 0;
    for (Network.Parameter parameter : NETWORK.parameters()) {
      boolean bias = parameter.shape().size() == 1;
      for (int i = parameter.offset(); i < parameter.offset() + parameter.size(); i++) {
        if (bias || left[i] != 0) {
          assertEquals(full[i], left[i]);
        }
        if (!bias) {
          weights++;
          gone += left[i] == 0 ? 1 : 0;
          largestGone = left[i] == 0 ? Math.max(largestGone, Math.abs(full[i])) : largestGone;
          smallestLeft = left[i] == 0 ? smallestLeft : Math.min(smallestLeft, Math.abs(full[i]));
        }
      }
    }
    assertEquals(Math.round(0.3 * weights), gone);
    assertTrue(largestGone <= smallestLeft);
    assertArrayEquals(full, random(3).pruned(0).parameters());
  }

  @Test
  void aPrunedModelStaysPrunedInBytes() {
    float[] pruned = random(4).pruned(0.5).parameters();
    float[] both = random(4).pruned(0.5).compressed(Encoding.INT8).parameters();
    for (int i = 0; i < both.length; i++) {
      assertFalse(pruned[i] == 0 && both[i] != 0);
    }
  }

  @Test
  void stackedModelsKeepTheirOwnScales() throws IOException {
    List<Model> models = List.of(random(6).compressed(Encoding.INT8), random(7).compressed(Encoding.INT8));
    Path file = folder.resolve("both.safetensors");
    ModelFile.saveAll(models, file);
    List<Model> read = ModelFile.loadAll(file);
    for (int k = 0; k < 2; k++) {
      assertArrayEquals(models.get(k).parameters(), read.get(k).parameters());
      assertEquals(Encoding.INT8, read.get(k).encoding());
    }
  }

  @Test
  void refusesWhatDoesNotFit() {
    float[] parameters = new float[NETWORK.parameterCount()];
    parameters[7] = -70000;
    Model model = new Model(NETWORK, parameters);
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> model.compressed(Encoding.FLOAT16));
    assertEquals("parameter -70000.0 is beyond float16's range of 65504.0; use bfloat16", e.getMessage());
    assertThrows(IllegalArgumentException.class, () -> model.pruned(1.5));
    assertThrows(IllegalArgumentException.class, () -> model.pruned(Double.NaN));
  }
}

package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One model a group. */
class GroupedTest {
  private static final Network NETWORK = Network.of(3, 5, 1).withActivation(Activation.TANH);

  private static GroupedDataset rows(int rows, int groups) {
    Rows all = Rows.random(1, rows, NETWORK);
    List<String> names = new ArrayList<>();
    for (int row = 0; row < rows; row++) {
      names.add("g" + (row * 7 % rows) * (row % 3 + 1) % groups);
    }
    return GroupedDataset.of(all.x(), all.y(), 3, 1, names);
  }

  @Test
  void everyModelIsAsAloneOnItsRows() {
    for (int batch : new int[] {1, 4, 32}) {
      Fit fit = Fit.epochs(3).batch(batch).shuffled(5);
      try (GroupedDataset raw = rows(2_000, 40);
          GroupedDataset data = raw.standardized();
          Ensemble ensemble = Ensemble.builder(NETWORK, data.groups()).build()) {
        ensemble.fit(data, fit);
        double[] losses = ensemble.evaluate(data);
        for (int g = 0; g < data.groups(); g++) {
          try (Dataset own = data.group(g); Trainer alone = Trainer.builder(NETWORK).seed(g).build()) {
            alone.fit(own, fit);
            Bits.assertSame(alone.parameters(), ensemble.parameters(g), "group " + g);
            assertEquals(alone.evaluate(own), losses[g]);
            assertEquals(own.standardizer(), ensemble.model(g).standardizer());
          }
        }
      }
    }
  }

  @Test
  void tenThousandGroupsInOneCall() {
    int groups = 10_000;
    List<String> names = new ArrayList<>();
    for (int g = 0; g < groups; g++) {
      names.addAll(Collections.nCopies(50 + g * 37 % 451, "group " + g));
    }
    Network network = Network.of(10, 20, 1);
    Rows all = Rows.random(3, names.size(), network);
    long[] orders = LongStream.range(0, groups).map(g -> 5 * g).toArray();
    Fit fit = Fit.epochs(2).batch(1);
    try (GroupedDataset data = GroupedDataset.of(all.x(), all.y(), 10, 1, names);
        Ensemble ensemble = Ensemble.builder(network, groups).build()) {
      EnsembleResult result = ensemble.fit(data, fit, orders);
      assertEquals(2L * names.size(), result.samples());
      assertEquals(List.of(), result.diverged());
      for (int g = 0; g < groups; g += 97) {
        try (Dataset own = data.group(g); Trainer alone = Trainer.builder(network).seed(g).build()) {
          alone.fit(own, fit.shuffled(orders[g]));
          Bits.assertSame(alone.parameters(), ensemble.parameters(g), "group " + g);
        }
      }
    }
  }

  @Test
  void weakGroupsAreNamed() {
    float[] x = new float[3 * 6];
    try (GroupedDataset data =
        GroupedDataset.of(x, new float[] {1, 1, 1, 1, 1, 2}, 3, 1, List.of("flat", "flat", "flat", "flat", "few", "few"))) {
      assertEquals(Optional.of("constant target"), data.weakness(0));
      assertEquals(Optional.of("too few rows"), data.weakness(1));
      assertEquals(List.of("flat", "few"), data.names());
    }
  }

  @Test
  void filesKeepGroupsAndPredictionsGoByGroup(@TempDir Path folder) throws Exception {
    Path csv = folder.resolve("rows.csv");
    Files.writeString(csv, "shop,a,b,c,y\nnorth,1,2,3,4\nsouth,2,3,4,1\nnorth,3,1,2,5\nsouth,1,1,2,0\n");
    Path file = folder.resolve("models.safetensors");
    try (GroupedDataset raw = GroupedDataset.read(csv, "shop", 1);
        GroupedDataset data = raw.standardized();
        Ensemble ensemble = Ensemble.builder(NETWORK, 2).build()) {
      assertEquals(List.of("north", "south"), data.names());
      assertEquals(List.of("a", "b", "c"), data.inputNames());
      ensemble.fit(data, Fit.epochs(2).batch(1));
      new GroupedModels("shop", data.names(), ensemble.models()).save(file);
      GroupedModels loaded = GroupedModels.load(file);
      assertEquals("shop", loaded.column());
      float[] x = {1, 2, 3, 2, 3, 4};
      float[] y = loaded.predict(x, List.of("south", "north"));
      assertEquals(ensemble.model(1).predict(new float[] {1, 2, 3})[0], y[0]);
      assertEquals(ensemble.model(0).predict(new float[] {2, 3, 4})[0], y[1]);
      String message =
          assertThrows(IllegalArgumentException.class, () -> loaded.predict(x, List.of("south", "west"))).getMessage();
      assertTrue(message.contains("row 2") && message.contains("'west'"), message);
    }
  }
}

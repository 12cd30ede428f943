package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A training that was broken off and goes on ends as one that was not. */
class CheckpointTest {
  private static final Network NETWORK = Network.of(10, 20, 1).withActivation(Activation.TANH);
  private static final int ROWS = 37;

  @TempDir Path folder;

  static Stream<Optimizer> optimizers() {
    return Stream.of(
        new Sgd(0.01), new Sgd(0.01).withMomentum(0.9).withNesterov().withWeightDecay(0.1), new Adam(0.01),
        new AdamW(0.01));
  }

  private static Dataset data(int rows, long seed) {
    Random random = new Random(seed);
    float[] x = new float[rows * 10];
    float[] y = new float[rows];
    for (int i = 0; i < x.length; i++) {
      x[i] = (float) random.nextGaussian();
    }
    for (int i = 0; i < rows; i++) {
      y[i] = x[10 * i] - 2 * x[10 * i + 3];
    }
    return Dataset.of(x, y, 10, 1);
  }

  private static Trainer trainer(Network network, Optimizer optimizer) {
    return Trainer.builder(network).optimizer(optimizer).seed(3).build();
  }

  @ParameterizedTest
  @MethodSource("optimizers")
  void goesOnWithTheSameBits(Optimizer optimizer) {
    Fit fit = Fit.epochs(20).batch(5).shuffled(11);
    try (Dataset data = data(ROWS, 1);
        Trainer whole = trainer(NETWORK, optimizer);
        Trainer first = trainer(NETWORK, optimizer);
        Trainer second = Trainer.builder(NETWORK).optimizer(optimizer).seed(99).build()) {
      FitResult expected = whole.fit(data, fit);
      first.fit(data, Fit.epochs(9).batch(5).shuffled(11).checkpoint(folder, 4));
      Checkpoint checkpoint = Checkpoint.latest(folder).orElseThrow();
      assertEquals(9, checkpoint.epoch());
      assertEquals(9 * 8, checkpoint.steps());
      FitResult result = second.fit(data, fit.resume(checkpoint));

      assertArrayEquals(whole.parameters(), second.parameters());
      assertArrayEquals(expected.losses(), result.losses());
      assertEquals(expected.steps(), result.steps());
      assertEquals(11L * ROWS, result.samples());
      assertArrayEquals(first.parameters(), Model.load(checkpoint.file()).parameters());
    }
  }

  @Test
  void goesOnAmidAnEpochAfterACancellation() {
    Fit fit = Fit.epochs(3).batch(1).shuffled(11);
    Optimizer optimizer = new Adam(0.001);
    // One epoch takes longer than a slice, so the cancellation comes amid one.
    try (Dataset data = data(200_000, 1);
        Trainer whole = trainer(NETWORK, optimizer);
        Trainer first = trainer(NETWORK, optimizer);
        Trainer second = trainer(NETWORK, optimizer)) {
      whole.fit(data, fit);
      FitResult broken =
          first.fit(data, fit.checkpoint(folder, 1).onProgress(progress -> first.cancel()));
      assertTrue(broken.cancelled());
      Checkpoint checkpoint = Checkpoint.latest(folder).orElseThrow();
      assertEquals(broken.steps(), checkpoint.steps());
      assertTrue(checkpoint.steps() % 200_000 > 0, checkpoint.steps() + " steps");
      second.fit(data, fit.resume(checkpoint));
      assertArrayEquals(whole.parameters(), second.parameters());
    }
  }

  @Test
  void keepsTheLastTwoAndNothingElse() throws IOException {
    Files.writeString(folder.resolve(".step-000000000008.safetensors.0-0.tmp"), "a killed process's");
    Files.writeString(folder.resolve("notes.txt"), "the user's");
    try (Dataset data = data(ROWS, 1);
        Trainer trainer = trainer(NETWORK, new Sgd(0.01))) {
      trainer.fit(data, Fit.epochs(10).batch(5).checkpoint(folder, 3));
    }
    assertEquals(
        List.of(".lock", "notes.txt", "step-000000000072.safetensors", "step-000000000080.safetensors"), names());
  }

  @Test
  void aFinishedTrainingIsDoneAtOnce() {
    Fit fit = Fit.epochs(5).batch(5);
    try (Dataset data = data(ROWS, 1);
        Trainer first = trainer(NETWORK, new Adam(0.01));
        Trainer second = trainer(NETWORK, new Adam(0.01))) {
      FitResult expected = first.fit(data, fit.checkpoint(folder, 2));
      FitResult result = second.fit(data, fit.checkpoint(folder, 2).resume(Checkpoint.latest(folder).orElseThrow()));
      assertArrayEquals(first.parameters(), second.parameters());
      assertArrayEquals(expected.losses(), result.losses());
      assertEquals(0, result.samples());
      IllegalArgumentException e =
          assertThrows(
              IllegalArgumentException.class,
              () -> second.fit(data, Fit.epochs(4).batch(5).resume(Checkpoint.latest(folder).orElseThrow())));
      assertEquals("the checkpoint has 5 epochs done, more than the 4 of this fit", e.getMessage());
    }
  }

  @Test
  void namesWhatDiffersFromThisTraining() {
    Fit fit = Fit.epochs(5).batch(5).shuffled(1);
    try (Dataset data = data(ROWS, 1);
        Dataset otherData = data(ROWS, 2);
        Dataset more = data(ROWS + 1, 1);
        Trainer trainer = trainer(NETWORK, new Adam(0.01));
        Trainer wide = trainer(Network.of(10, 21, 1).withActivation(Activation.TANH), new Adam(0.01));
        Trainer sgd = trainer(NETWORK, new Sgd(0.01))) {
      trainer.fit(data, fit.checkpoint(folder, 5));
      Checkpoint checkpoint = Checkpoint.latest(folder).orElseThrow();
      String start = checkpoint.file() + ": is of another training: its ";
      refuses(start + "network is 10,20,1, where this one's is 10,21,1", wide, data, fit.resume(checkpoint));
      refuses(start + "optimizer is Adam[", sgd, data, fit.resume(checkpoint));
      refuses(start + "batch is 5, where this one's is 6", trainer, data, fit.batch(6).resume(checkpoint));
      refuses(
          start + "order is shuffled with seed 1, where this one's is shuffled with seed 2", trainer, data,
          fit.shuffled(2).resume(checkpoint));
      refuses(start + "rows is 37, where this one's is 38", trainer, more, fit.resume(checkpoint));
      refuses(start + "data checksum is ", trainer, otherData, fit.resume(checkpoint));
    }
  }

  private static void refuses(String reason, Trainer trainer, Dataset data, Fit fit) {
    float[] before = trainer.parameters();
    InvalidDataException e = assertThrows(InvalidDataException.class, () -> trainer.fit(data, fit));
    assertTrue(e.getMessage().startsWith(reason), e.getMessage());
    assertArrayEquals(before, trainer.parameters());
  }

  @Test
  void fallsBackToTheOneBeforeAndNamesTheDamaged() throws IOException {
    try (Dataset data = data(ROWS, 1);
        Trainer trainer = trainer(NETWORK, new Adam(0.01))) {
      trainer.fit(data, Fit.epochs(10).batch(5).checkpoint(folder, 4));
    }
    Path newest = folder.resolve("step-000000000080.safetensors");
    byte[] good = Files.readAllBytes(newest);
    Random random = new Random(3);
    for (int i = 0; i < 200; i++) {
      byte[] bad = good.clone();
      if (i % 2 == 0) {
        bad = java.util.Arrays.copyOf(good, random.nextInt(good.length));
      } else {
        bad[random.nextInt(bad.length)] ^= (byte) (1 << random.nextInt(8));
      }
      Files.write(newest, bad);
      List<String> unreadable = new ArrayList<>();
      Checkpoint found = Checkpoint.latest(folder, e -> unreadable.add(e.getMessage())).orElseThrow();
      assertEquals(8, found.epoch(), "damage " + i);
      assertEquals(1, unreadable.size());
      assertTrue(unreadable.get(0).startsWith(newest + ": "), unreadable.get(0));
    }
    try (FileChannel channel = FileChannel.open(folder.resolve("step-000000000064.safetensors"), StandardOpenOption.WRITE)) {
      channel.truncate(100);
    }
    assertThrows(InvalidDataException.class, () -> Checkpoint.latest(folder));
  }

  @Test
  void thereMayBeNone() {
    assertTrue(Checkpoint.latest(folder).isEmpty());
    assertTrue(Checkpoint.latest(folder.resolve("missing")).isEmpty());
  }

  @Test
  void aModelIsNoCheckpoint() throws IOException {
    Path file = folder.resolve("model.safetensors");
    new Model(NETWORK, new float[241]).save(file);
    InvalidDataException e = assertThrows(InvalidDataException.class, () -> Checkpoint.load(file));
    assertEquals(file + ": is no checkpoint; name one that --checkpoint wrote", e.getMessage());
  }

  @Test
  void oneTrainingADirectory() {
    try (Dataset data = data(ROWS, 1);
        Trainer first = trainer(NETWORK, new Sgd(0.01));
        Trainer second = trainer(NETWORK, new Sgd(0.01))) {
      List<String> refusals = new ArrayList<>();
      first.fit(
          data,
          Fit.epochs(1)
              .checkpoint(folder, 1)
              .onProgress(
                  progress ->
                      refusals.add(
                          assertThrows(
                                  RingstepException.class,
                                  () -> second.fit(data, Fit.epochs(1).checkpoint(folder, 1)))
                              .getMessage())));
      assertFalse(refusals.isEmpty());
      assertEquals(
          "another training writes its checkpoints to " + folder + "; wait for it, or name another directory",
          refusals.get(0));
      second.fit(data, Fit.epochs(1).checkpoint(folder, 1));
    }
  }

  @Test
  void aDirectoryThatCannotBeMadeIsNamed() throws IOException {
    Path file = Files.writeString(folder.resolve("file"), "");
    try (Dataset data = data(ROWS, 1);
        Trainer trainer = trainer(NETWORK, new Sgd(0.01))) {
      RingstepException e =
          assertThrows(RingstepException.class, () -> trainer.fit(data, Fit.epochs(1).checkpoint(file, 1)));
      assertTrue(e.getMessage().startsWith("checkpoints cannot be written to " + file + ": "), e.getMessage());
    }
  }

  private List<String> names() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }
}

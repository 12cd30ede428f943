package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.ringstep.internal.CheckpointData;
import io.ringstep.internal.CheckpointFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** With every setting of training, one that is broken off again and again ends as one that is not. */
class ResumeTest {
  private static final Network NETWORK = Network.of(4, 9, 1).withActivation(Activation.TANH);
  private static final int ROWS = 120_001;  // a fit lasts some slices of 20 ms

  @TempDir Path folder;

  /** One setting, or a few that go together. */
  private record Setting(
      String name, Consumer<Trainer.Builder> builder, Consumer<Trainer> trainer, UnaryOperator<Fit> fit) {
    static Setting of(String name, Consumer<Trainer.Builder> builder) {
      return new Setting(name, builder, trainer -> {}, UnaryOperator.identity());
    }

    static Setting ofFit(String name, UnaryOperator<Fit> fit) {
      return new Setting(name, builder -> {}, trainer -> {}, fit);
    }

    @Override
    public String toString() {
      return name;
    }
  }

  private static final Dataset VALIDATION = data(500, 2, false);

  static Stream<Setting> settings() {
    Schedule plateau = Schedule.plateau(0.5, 0, 1e-6);
    return Stream.of(
        Setting.of("Huber", builder -> builder.loss(Loss.huber(0.5))),
        Setting.of("L1 and clipped norm", builder -> builder.l1(0.001).clipNorm(0.1)),
        Setting.of("clipped values", builder -> builder.clipValue(0.01)),
        Setting.of("dropout", builder -> builder.dropout(0.3, 5)),
        Setting.ofFit("step decay after warm-up", fit -> fit.schedule(Schedule.step(2, 0.5).withWarmup(7000, 0.1))),
        Setting.ofFit("cosine", fit -> fit.schedule(Schedule.cosine(1e-4))),
        Setting.ofFit("plateau of the training loss", fit -> fit.schedule(plateau)),
        Setting.ofFit("plateau of the validation loss", fit -> fit.schedule(plateau).validation(VALIDATION)),
        Setting.ofFit("EMA", fit -> fit.ema(0.999)),
        Setting.ofFit("SWA", fit -> fit.swa(2)),
        Setting.ofFit("early stopping", fit -> fit.validation(VALIDATION).earlyStopping(3, 0.05)),
        Setting.ofFit("early stopping of an average", fit -> fit.ema(0.99).validation(VALIDATION).earlyStopping(3, 0.05)),
        new Setting(
            "a learning rate of its own", builder -> {}, trainer -> trainer.setLearningRate(0.003),
            UnaryOperator.identity()));
  }

  private static Dataset data(int rows, long seed, boolean weighted) {
    Random random = new Random(seed);
    float[] x = new float[rows * 4];
    float[] y = new float[rows];
    float[] weights = new float[rows];
    for (int i = 0; i < x.length; i++) {
      x[i] = (float) random.nextGaussian();
    }
    for (int i = 0; i < rows; i++) {
      y[i] = x[4 * i] - 2 * x[4 * i + 3] + (float) random.nextGaussian();
      weights[i] = random.nextInt(3);
    }
    Dataset data = Dataset.of(x, y, 4, 1);
    if (!weighted) {
      return data;
    }
    try (data) {
      return data.weighted(weights);
    }
  }

  private static Trainer trainer(Setting setting) {
    Trainer.Builder builder = Trainer.builder(NETWORK).optimizer(new Adam(0.01)).seed(3).device(Device.cpu());
    setting.builder().accept(builder);
    return builder.build();
  }

  @ParameterizedTest
  @MethodSource("settings")
  void goesOnWithTheSameBits(Setting setting) {
    try (Dataset data = data(ROWS, 1, false)) {
      requireSameBits(setting, data);
    }
  }

  @Test
  void weightedRowsGoOnWithTheSameBits() {
    try (Dataset data = data(ROWS, 1, true)) {
      requireSameBits(Setting.ofFit("weights", fit -> fit), data);
    }
  }

  private void requireSameBits(Setting setting, Dataset data) {
    Fit fit = setting.fit().apply(Fit.epochs(8).batch(4).shuffled(11));
    try (Trainer whole = trainer(setting)) {
      setting.trainer().accept(whole);
      FitResult expected = whole.fit(data, fit);
      int interruptions = 0;
      while (true) {
        Fit next = Checkpoint.latest(folder).map(fit::resume).orElse(fit).checkpoint(folder, 3);
        try (Trainer trainer = trainer(setting)) {
          if (interruptions == 0) {
            setting.trainer().accept(trainer);
          }
          FitResult result = trainer.fit(data, next.onProgress(progress -> trainer.cancel()));
          if (result.cancelled()) {
            interruptions++;
            continue;
          }
          assertTrue(interruptions > 0, "it was never broken off");
          assertArrayEquals(whole.parameters(), trainer.parameters());
          assertArrayEquals(expected.losses(), result.losses());
          assertArrayEquals(expected.validationLosses(), result.validationLosses());
          assertEquals(expected.bestEpoch(), result.bestEpoch());
          assertEquals(expected.stoppedEarly(), result.stoppedEarly());
          assertEquals(expected.steps(), result.steps());
        }
        break;
      }
      requireDone(setting, data, fit, whole.parameters());
    }
  }

  /** The end, too, is in a checkpoint: an early one as any other. */
  private void requireDone(Setting setting, Dataset data, Fit fit, float[] expected) {
    try (Trainer again = trainer(setting)) {
      FitResult result = again.fit(data, fit.resume(Checkpoint.latest(folder).orElseThrow()));
      assertEquals(0, result.samples());
      assertArrayEquals(expected, again.parameters());
    }
  }

  @Test
  void namesTheSettingThatDiffers() {
    Fit fit = Fit.epochs(2).batch(4);
    Setting plain = Setting.of("plain", builder -> {});
    try (Dataset data = data(50, 1, false);
        Dataset weighted = data(50, 1, true);
        Trainer trainer = trainer(plain)) {
      trainer.fit(data, fit.checkpoint(folder, 1));
      Fit next = fit.resume(Checkpoint.latest(folder).orElseThrow());
      refuses("loss is mse, where this one's is mae", builder -> builder.loss(Loss.MAE), data, next);
      refuses("L1 penalty is 0.0, where this one's is 0.1", builder -> builder.l1(0.1), data, next);
      refuses("clipping is none, where this one's is norm 2.0", builder -> builder.clipNorm(2), data, next);
      refuses("clipping is none, where this one's is value 2.0", builder -> builder.clipValue(2), data, next);
      refuses("dropout is none, where this one's is 0.5 of seed 1", builder -> builder.dropout(0.5, 1), data, next);
      refuses("checksum of the sample weights is none, where", builder -> {}, weighted, next);
      refuses(
          "schedule is constant, where this one's is cosine to 0.0, over 2 epochs", builder -> {}, data,
          next.schedule(Schedule.cosine(0)));
      refuses("average is none, where this one's is EMA of decay 0.9", builder -> {}, data, next.ema(0.9));
      refuses("average is none, where this one's is SWA after 1 epochs", builder -> {}, data, next.swa(1));
      refuses("checksum of the validation rows is none, where", builder -> {}, data, next.validation(VALIDATION));
    }
  }

  @Test
  void anotherEnginesCheckpointIsRefused() throws IOException {
    try (Dataset data = data(50, 1, false);
        Trainer trainer = trainer(Setting.of("plain", builder -> {}))) {
      Fit fit = Fit.epochs(2).batch(4);
      trainer.fit(data, fit.checkpoint(folder, 1));
      CheckpointData own = Checkpoint.latest(folder).orElseThrow().data();
      Map<String, String> settings = new TreeMap<>(own.settings());
      settings.put("engine", "cuda");
      Path file = folder.resolve("gpu.safetensors");
      CheckpointFile.write(
          new CheckpointData(
              own.model(), own.moments(), own.optimizer(), own.average(), own.position(), own.monitor(), settings),
          file);
      refuses("engine is cuda, where this one's is cpu", builder -> {}, data, fit.resume(Checkpoint.load(file)));
    }
  }

  private static void refuses(String reason, Consumer<Trainer.Builder> builder, Dataset data, Fit fit) {
    try (Trainer trainer = trainer(Setting.of(reason, builder))) {
      InvalidDataException e = assertThrows(InvalidDataException.class, () -> trainer.fit(data, fit));
      assertTrue(e.getMessage().contains(": is of another training: its " + reason), e.getMessage());
    }
  }
}

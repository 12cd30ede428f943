package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/** 100 steps of PyTorch with one loss, penalty, schedule or average: one folder of {@code golden-features}. */
record FeatureCase(Path folder, JsonObject settings) {
  static List<FeatureCase> all() throws IOException, URISyntaxException {
    Path golden = Path.of(FeatureCase.class.getResource("/golden-features").toURI());
    try (Stream<Path> entries = Files.list(golden)) {
      return entries
          .filter(Files::isDirectory)
          .sorted()
          .map(folder -> new FeatureCase(folder, json(folder.resolve("case.json")).getAsJsonObject()))
          .toList();
    }
  }

  Dataset data() {
    Dataset.Columns columns = Dataset.Columns.lastTargets(1);
    Path file = folder.resolve("data.safetensors");
    return Dataset.read(file, settings.has("weights") ? columns.weights("weights") : columns);
  }

  Trainer trainer() {
    Trainer.Builder builder = Trainer.builder(init()).loss(loss()).optimizer(optimizer()).l1(number(settings, "l1", 0));
    if (settings.has("clip_norm")) {
      builder.clipNorm(number(settings, "clip_norm", 0));
    }
    if (settings.has("clip_value")) {
      builder.clipValue(number(settings, "clip_value", 0));
    }
    return builder.build();
  }

  /** So many models that all start as the trainer does. */
  Ensemble ensemble(int models) {
    Ensemble.Builder builder =
        Ensemble.builder(Collections.nCopies(models, init())).loss(loss()).optimizer(optimizer()).l1(number(settings, "l1", 0));
    if (settings.has("clip_norm")) {
      builder.clipNorm(number(settings, "clip_norm", 0));
    }
    if (settings.has("clip_value")) {
      builder.clipValue(number(settings, "clip_value", 0));
    }
    return builder.build();
  }

  private Model init() {
    String activation = settings.get("activation").getAsString().toUpperCase(Locale.ROOT);
    return Model.load(folder.resolve("init.safetensors")).withActivation(Activation.valueOf(activation));
  }

  Fit fit() {
    Fit fit = Fit.epochs(settings.get("epochs").getAsInt()).batch(batch()).schedule(schedule());
    if (!settings.has("average")) {
      return fit;
    }
    JsonObject average = settings.getAsJsonObject("average");
    return average.get("kind").getAsString().equals("ema")
        ? fit.ema(number(average, "decay", 0))
        : fit.swa((int) number(average, "start", 0));
  }

  int batch() {
    return settings.get("batch").getAsInt();
  }

  /** Mean loss of every step before its update. */
  double[] stepLosses() {
    return numbers("losses.json");
  }

  double finalLoss() {
    return number(settings, "final_loss", Double.NaN);
  }

  /** |w - expected| <= tolerance * max(1, |expected|) */
  void assertAgrees(float[] parameters) {
    float[] expected = Model.load(folder.resolve("expected.safetensors")).parameters();
    assertEquals(expected.length, parameters.length);
    double tolerance = number(settings, "tolerance", 0);
    for (int i = 0; i < expected.length; i++) {
      double allowed = tolerance * Math.max(1, Math.abs(expected[i]));
      assertEquals(expected[i], parameters[i], allowed, this + ", parameter " + i);
    }
  }

  private Loss loss() {
    String name = settings.has("loss") ? settings.get("loss").getAsString() : "mse";
    return switch (name) {
      case "mse" -> Loss.MSE;
      case "mae" -> Loss.MAE;
      case "huber" -> Loss.huber(number(settings, "delta", 1));
      case "bce" -> Loss.BCE;
      case "cross-entropy" -> Loss.CROSS_ENTROPY;
      default -> throw new IllegalArgumentException(name);
    };
  }

  private Optimizer optimizer() {
    JsonObject o = settings.getAsJsonObject("optimizer");
    double lr = number(o, "lr", 0);
    double decay = number(o, "weight_decay", 0);
    return switch (o.get("kind").getAsString()) {
      case "sgd" -> new Sgd(lr, number(o, "momentum", 0), false, decay);
      case "adam" -> new Adam(lr).withWeightDecay(decay);
      case "adamw" -> new AdamW(lr).withWeightDecay(decay);
      default -> throw new IllegalArgumentException(o.toString());
    };
  }

  private Schedule schedule() {
    if (!settings.has("schedule")) {
      return Schedule.constant();
    }
    JsonObject s = settings.getAsJsonObject("schedule");
    Schedule schedule =
        switch (s.get("kind").getAsString()) {
          case "constant" -> Schedule.constant();
          case "step" -> Schedule.step((int) number(s, "epochs", 0), number(s, "gamma", 0));
          case "cosine" -> Schedule.cosine(number(s, "min_lr", 0));
          case "plateau" ->
              Schedule.plateau(number(s, "factor", 0), (int) number(s, "patience", 0), number(s, "min_lr", 0));
          default -> throw new IllegalArgumentException(s.toString());
        };
    return s.has("warmup_steps")
        ? schedule.withWarmup((long) number(s, "warmup_steps", 0), number(s, "warmup_start", 0))
        : schedule;
  }

  private double[] numbers(String file) {
    return json(folder.resolve(file)).getAsJsonArray().asList().stream().mapToDouble(JsonElement::getAsDouble).toArray();
  }

  private static double number(JsonObject object, String name, double otherwise) {
    return object.has(name) ? object.get(name).getAsDouble() : otherwise;
  }

  private static JsonElement json(Path file) {
    try {
      return JsonParser.parseString(Files.readString(file));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public String toString() {
    return folder.getFileName().toString();
  }
}

package io.ringstep;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** One model of a training case with PyTorch's answers: of one folder of {@code golden}. */
record GoldenCase(Path folder, JsonObject settings, int model) {

  static List<GoldenCase> all() throws IOException, URISyntaxException {
    Path golden = Path.of(GoldenCase.class.getResource("/golden").toURI());
    try (Stream<Path> entries = Files.list(golden)) {
      return entries.filter(Files::isDirectory).sorted().flatMap(GoldenCase::models).toList();
    }
  }

  private static Stream<GoldenCase> models(Path folder) {
    JsonObject settings = json(folder.resolve("case.json")).getAsJsonObject();
    return IntStream.range(0, settings.get("models").getAsInt())
        .mapToObj(model -> new GoldenCase(folder, settings, model));
  }

  Model init() {
    String activation = settings.get("activation").getAsString().toUpperCase(Locale.ROOT);
    return Model.load(weights("init")).withActivation(Activation.valueOf(activation));
  }

  Dataset data() {
    return Dataset.read(folder.resolve("data.safetensors"), init().network().outputs());
  }

  int batch() {
    return settings.get("batch").getAsInt();
  }

  int epochs() {
    return settings.get("epochs").getAsInt();
  }

  Optimizer optimizer() {
    JsonObject optimizer = settings.getAsJsonObject("optimizer");
    double lr = optimizer.get("lr").getAsDouble();
    String kind = optimizer.get("kind").getAsString();
    return switch (kind) {
      case "sgd" ->
          new Sgd(
              lr,
              number(optimizer, "momentum", 0),
              optimizer.has("nesterov") && optimizer.get("nesterov").getAsBoolean(),
              number(optimizer, "weight_decay", 0));
      case "adam" -> new Adam(lr).withWeightDecay(number(optimizer, "weight_decay", 0));
      case "adamw" -> new AdamW(lr).withWeightDecay(number(optimizer, "weight_decay", 0.01));
      default -> throw new IllegalArgumentException(kind);
    };
  }

  /** Mean loss of every step before its update. */
  double[] stepLosses() {
    JsonArray losses = json(folder.resolve("losses.json")).getAsJsonArray();
    JsonArray own = several() ? losses.get(model).getAsJsonArray() : losses;
    return own.asList().stream().mapToDouble(JsonElement::getAsDouble).toArray();
  }

  /** Where the case says so: |w - expected| <= tolerance * max(1, |expected|). */
  void assertAgrees(float[] parameters) {
    float[] expected = Model.load(weights("expected")).parameters();
    assertEquals(expected.length, parameters.length);
    double tolerance = settings.get("tolerance").getAsDouble();
    for (int i = 0; i < expected.length; i++) {
      double allowed = tolerance * Math.max(1, Math.abs(expected[i]));
      assertEquals(expected[i], parameters[i], allowed, this + ", parameter " + i);
    }
  }

  private Path weights(String name) {
    return folder.resolve(name + (several() ? "-" + model : "") + ".safetensors");
  }

  private boolean several() {
    return settings.get("models").getAsInt() > 1;
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
    return folder.getFileName() + (several() ? ", model " + model : "");
  }
}

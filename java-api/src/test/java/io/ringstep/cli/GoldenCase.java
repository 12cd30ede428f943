package io.ringstep.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.ringstep.Model;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.StreamSupport;

/** A training case with PyTorch's answers: one folder of {@code golden}. */
record GoldenCase(String name, Path folder, JsonObject settings) {
  static GoldenCase of(String name) throws IOException, URISyntaxException {
    Path folder = Path.of(GoldenCase.class.getResource("/golden/" + name).toURI());
    String settings = Files.readString(folder.resolve("case.json"));
    return new GoldenCase(name, folder, JsonParser.parseString(settings).getAsJsonObject());
  }

  Path file(String file) {
    return folder.resolve(file);
  }

  int epochs() {
    return settings.get("epochs").getAsInt();
  }

  /** The command, but for {@code --models}, {@code --init} and {@code --save}. */
  List<Object> command() {
    JsonObject optimizer = settings.getAsJsonObject("optimizer");
    List<Object> command =
        new ArrayList<>(
            List.of(
                "train", "--data", file("data.safetensors"), "--no-shuffle", "--json",
                "--network", join(settings.getAsJsonArray("sizes")),
                "--activation", settings.get("activation").getAsString(),
                "--batch", settings.get("batch"), "--epochs", settings.get("epochs"),
                "--optimizer", optimizer.get("kind").getAsString(), "--lr", optimizer.get("lr")));
    if (optimizer.has("momentum")) {
      command.addAll(List.of("--momentum", optimizer.get("momentum")));
    }
    if (optimizer.has("nesterov")) {
      command.add("--nesterov");
    }
    if (optimizer.has("weight_decay")) {
      command.addAll(List.of("--weight-decay", optimizer.get("weight_decay")));
    }
    return command;
  }

  /** Where the case says so: |w - expected| <= tolerance * max(1, |expected|). */
  void assertAgrees(Model expected, Model actual) {
    float[] wanted = expected.parameters();
    float[] weights = actual.parameters();
    assertEquals(wanted.length, weights.length);
    double tolerance = settings.get("tolerance").getAsDouble();
    for (int i = 0; i < wanted.length; i++) {
      assertEquals(
          wanted[i], weights[i], tolerance * Math.max(1, Math.abs(wanted[i])), name + ", weight " + i);
    }
  }

  /** The mean over the rows of every epoch; a batch counts as often as it has rows. */
  double[] epochLosses(JsonArray stepLosses) {
    int rows = settings.get("samples").getAsInt();
    int batch = settings.get("batch").getAsInt();
    double[] losses = new double[epochs()];
    int step = 0;
    for (int epoch = 0; epoch < losses.length; epoch++) {
      for (int row = 0; row < rows; row += batch) {
        losses[epoch] += stepLosses.get(step++).getAsDouble() * Math.min(batch, rows - row) / rows;
      }
    }
    assertEquals(stepLosses.size(), step);
    return losses;
  }

  JsonArray stepLosses() throws IOException {
    return JsonParser.parseString(Files.readString(file("losses.json"))).getAsJsonArray();
  }

  private static String join(JsonArray sizes) {
    return String.join(
        ",",
        StreamSupport.stream(sizes.spliterator(), false).map(JsonElement::getAsString).toList());
  }
}

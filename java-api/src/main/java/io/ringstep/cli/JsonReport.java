package io.ringstep.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.util.Arrays;

/** The line that {@code train --json} prints. */
final class JsonReport {
  private JsonReport() {}

  static String line(TrainingResult result, String device, int ranks) {
    JsonObject line = new JsonObject();
    line.addProperty("steps", result.steps());
    line.addProperty("epochs", result.epochs());
    line.addProperty("loss", result.loss());
    line.add("losses", array(result.losses()));
    line.addProperty("samples_per_second", result.samplesPerSecond());
    line.addProperty("device", device);
    line.addProperty("seconds", result.seconds());
    if (ranks > 1) {
      line.addProperty("ranks", ranks);
    }
    if (result.models().size() > 1) {
      line.add("models", models(result));
    }
    return line.toString();
  }

  private static JsonArray models(TrainingResult result) {
    JsonArray models = new JsonArray();
    for (Trained trained : result.models()) {
      JsonObject model = new JsonObject();
      model.addProperty("loss", trained.loss());
      model.add("losses", array(trained.fit().losses()));
      models.add(model);
    }
    return models;
  }

  private static JsonArray array(double[] values) {
    JsonArray array = new JsonArray(values.length);
    Arrays.stream(values).forEach(array::add);
    return array;
  }
}

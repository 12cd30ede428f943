package io.ringstep.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.ringstep.FitResult;
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
    Trained first = result.models().get(0);
    result.validationLoss().ifPresent(loss -> line.addProperty("validation_loss", loss));
    if (first.fit().validationLosses().length > 0) {
      line.add("validation_losses", array(result.validationLosses()));
    }
    if (result.models().size() == 1) {
      addEnd(line, first.fit());
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
      if (trained.fit().validationLosses().length > 0) {
        model.addProperty("validation_loss", trained.validationLoss());
        model.add("validation_losses", array(trained.fit().validationLosses()));
      }
      addEnd(model, trained.fit());
      models.add(model);
    }
    return models;
  }

  /** Where a model that may stop early ended. */
  static void addEnd(JsonObject object, FitResult fit) {
    fit.bestEpoch()
        .ifPresent(
            epoch -> {
              object.addProperty("best_epoch", epoch);
              object.addProperty("stopped_early", fit.stoppedEarly());
            });
  }

  private static JsonArray array(double[] values) {
    JsonArray array = new JsonArray(values.length);
    Arrays.stream(values).forEach(array::add);
    return array;
  }
}

package io.ringstep.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.ringstep.EnsembleResult;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.OptionalInt;
import java.util.StringJoiner;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** What a grouped run tells its user about each group: a table for people, or JSON for programs, or nothing. */
final class GroupedReport {
  /** Longer tables show only groups with something to say. */
  private static final int LONGEST_TABLE = 100;

  private static final String SOUND = "ok";

  /** Of rows, loss, validation loss and best epoch. */
  private static final int[] WIDTHS = {10, 14, 15, 10};

  private final GroupedData data;
  private final EnsembleResult result;
  private final double[] losses;
  private final double[] validationLosses;
  private final List<String> status;

  /**
   * @param losses of each model with its final weights, over its group's rows of training
   * @param validationLosses likewise over those of validation, NaN where it has none; null where none is validated
   */
  GroupedReport(GroupedData data, EnsembleResult result, double[] losses, double[] validationLosses) {
    this.data = data;
    this.result = result;
    this.losses = losses;
    this.validationLosses = validationLosses;
    this.status = IntStream.range(0, losses.length).mapToObj(this::status).toList();
  }

  private String status(int g) {
    EnsembleResult.OfModel model = result.model(g);
    if (model.divergedAt().isPresent()) {
      return "diverged at step " + model.divergedAt().getAsLong();
    }
    StringJoiner words = new StringJoiner(", ").setEmptyValue(SOUND);
    data.training().weakness(g).ifPresent(words::add);
    if (data.validation() != null && data.validation().rows(g) == 0) {
      words.add("not validated");
    }
    return words.toString();
  }

  /** A line for each group that is shown, below the columns' names; none where no group is. */
  List<String> table() {
    List<String> names = data.training().names();
    int[] shown =
        IntStream.range(0, names.size())
            .filter(g -> names.size() <= LONGEST_TABLE || !status.get(g).equals(SOUND))
            .limit(LONGEST_TABLE)
            .toArray();
    if (shown.length == 0) {
      return List.of();
    }
    int width = Math.max(5, Arrays.stream(shown).map(g -> names.get(g).length()).max().orElseThrow());
    List<String> lines = new ArrayList<>(List.of(line(width, "group", header(), "status")));
    Arrays.stream(shown).forEach(g -> lines.add(line(width, names.get(g), cells(g), status.get(g))));
    return lines;
  }

  private static String line(int width, String group, List<String> cells, String status) {
    String numbers =
        IntStream.range(0, cells.size())
            .mapToObj(column -> String.format(Locale.ROOT, "%" + WIDTHS[column] + "s", cells.get(column)))
            .collect(Collectors.joining(" "));
    return String.format(Locale.ROOT, "%-" + width + "s %s  %s", group, numbers, status);
  }

  private List<String> header() {
    List<String> cells = new ArrayList<>(List.of("rows", "loss"));
    if (validationLosses != null) {
      cells.add("validation loss");
    }
    if (stopsEarly()) {
      cells.add("best epoch");
    }
    return cells;
  }

  private List<String> cells(int g) {
    List<String> cells = new ArrayList<>(List.of(Long.toString(data.training().rows(g)), Text.loss(losses[g])));
    if (validationLosses != null) {
      cells.add(data.validation().rows(g) == 0 ? "-" : Text.loss(validationLosses[g]));
    }
    if (stopsEarly()) {
      OptionalInt best = result.model(g).bestEpoch();
      cells.add(best.isPresent() ? Integer.toString(best.getAsInt()) : "-");
    }
    return cells;
  }

  private boolean stopsEarly() {
    return result.models().stream().anyMatch(model -> model.bestEpoch().isPresent());
  }

  /** All groups together. */
  String summary() {
    long sound = status.stream().filter(SOUND::equals).count();
    return String.format(
        Locale.ROOT, "%s, %d ok, in %.3f s: %,.0f samples/s", Text.count(status.size(), "group"), sound, seconds(),
        samplesPerSecond());
  }

  private double seconds() {
    return result.duration().toNanos() / 1e9;
  }

  private double samplesPerSecond() {
    return result.samples() / seconds();
  }

  JsonObject json() {
    JsonObject line = new JsonObject();
    line.addProperty("steps", result.steps());
    line.addProperty("samples_per_second", samplesPerSecond());
    line.addProperty("seconds", seconds());
    JsonArray groups = new JsonArray();
    IntStream.range(0, losses.length).mapToObj(this::json).forEach(groups::add);
    line.add("groups", groups);
    return line;
  }

  private JsonObject json(int g) {
    JsonObject group = new JsonObject();
    group.addProperty("group", data.training().names().get(g));
    group.addProperty("rows", data.training().rows(g));
    add(group, "loss", losses[g]);
    if (validationLosses != null) {
      group.addProperty("validation_rows", data.validation().rows(g));
      add(group, "validation_loss", validationLosses[g]);
    }
    JsonReport.addEnd(group, result.model(g).toFitResult());
    group.addProperty("status", status.get(g));
    return group;
  }

  /** JSON has no other numbers. */
  private static void add(JsonObject group, String name, double loss) {
    if (Double.isFinite(loss)) {
      group.addProperty(name, loss);
    }
  }
}

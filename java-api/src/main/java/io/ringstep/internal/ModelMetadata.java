package io.ringstep.internal;

import com.google.gson.Gson;
import com.google.gson.JsonParseException;
import io.ringstep.Activation;
import io.ringstep.GroupedModels;
import io.ringstep.InvalidDataException;
import io.ringstep.Loss;
import io.ringstep.Model;
import io.ringstep.Network;
import io.ringstep.Standardizer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * What a model file says beside its tensors. Each part may be missing: PyTorch writes none of them.
 *
 * @param standardizer null where rows are used as they are, or differently by group
 * @param groups null where models are not of groups
 */
record ModelMetadata(
    Activation activation,
    Standardizer standardizer,
    List<String> inputNames,
    List<String> targetNames,
    Loss loss,
    List<String> classNames,
    Groups groups) {
  /**
   * The groups of stacked models.
   *
   * @param column what they are told apart by
   * @param standardizers of each group, or empty
   */
  record Groups(String column, List<String> names, List<Standardizer> standardizers) {}

  private static final String ACTIVATION = "ringstep.activation";
  private static final String X_MEAN = "ringstep.x_mean";
  private static final String X_SCALE = "ringstep.x_scale";
  private static final String Y_MEAN = "ringstep.y_mean";
  private static final String Y_SCALE = "ringstep.y_scale";
  private static final String INPUTS = "ringstep.inputs";
  private static final String TARGETS = "ringstep.targets";
  private static final String LOSS = "ringstep.loss";
  private static final String HUBER_DELTA = "ringstep.huber_delta";
  private static final String CLASSES = "ringstep.classes";
  private static final String GROUP_BY = "ringstep.group_by";
  private static final String GROUPS = "ringstep.groups";
  private static final Gson GSON = new Gson();

  static ModelMetadata of(Model model) {
    return new ModelMetadata(
        model.network().activation(),
        model.standardizer().orElse(null),
        model.inputNames(),
        model.targetNames(),
        model.loss(),
        model.classNames(),
        null);
  }

  static ModelMetadata of(GroupedModels grouped) {
    Model first = grouped.models().get(0);
    List<Standardizer> own = grouped.models().stream().flatMap(model -> model.standardizer().stream()).toList();
    return new ModelMetadata(
        first.network().activation(),
        null,
        first.inputNames(),
        first.targetNames(),
        first.loss(),
        first.classNames(),
        new Groups(grouped.column(), grouped.groups(), own));
  }

  /** @param strings the file's {@code __metadata__} */
  static ModelMetadata parse(Path file, Map<String, String> strings) {
    Parser parser = new Parser(file, strings);
    Groups groups = parser.groups();
    return new ModelMetadata(
        parser.activation(), groups == null ? parser.standardizer() : null, parser.names(INPUTS), parser.names(TARGETS),
        parser.loss(), parser.names(CLASSES), groups);
  }

  /** Model {@code k} of the file. */
  Model model(Network network, float[] parameters, int k) {
    boolean own = groups != null && !groups.standardizers.isEmpty();
    return new Model(
        network, parameters, own ? groups.standardizers.get(k) : standardizer, inputNames, targetNames, loss, classNames);
  }

  /** The file's {@code __metadata__}. */
  Map<String, String> strings() {
    Map<String, String> strings = new LinkedHashMap<>();
    strings.put("format", "pt");
    strings.put(ACTIVATION, activation.name().toLowerCase(Locale.ROOT));
    if (standardizer != null) {
      strings.put(X_MEAN, GSON.toJson(standardizer.xMean()));
      strings.put(X_SCALE, GSON.toJson(standardizer.xScale()));
      strings.put(Y_MEAN, GSON.toJson(standardizer.yMean()));
      strings.put(Y_SCALE, GSON.toJson(standardizer.yScale()));
    }
    if (groups != null) {
      strings.put(GROUP_BY, groups.column);
      strings.put(GROUPS, GSON.toJson(groups.names));
      if (!groups.standardizers.isEmpty()) {
        strings.put(X_MEAN, ofGroups(Standardizer::xMean));
        strings.put(X_SCALE, ofGroups(Standardizer::xScale));
        strings.put(Y_MEAN, ofGroups(Standardizer::yMean));
        strings.put(Y_SCALE, ofGroups(Standardizer::yScale));
      }
    }
    if (!inputNames.isEmpty()) {
      strings.put(INPUTS, GSON.toJson(inputNames));
    }
    if (!targetNames.isEmpty()) {
      strings.put(TARGETS, GSON.toJson(targetNames));
    }
    if (!loss.equals(Loss.MSE)) {
      strings.put(LOSS, loss.toString());
    }
    if (loss.kind() == Loss.Kind.HUBER) {
      strings.put(HUBER_DELTA, Double.toString(loss.delta()));
    }
    if (!classNames.isEmpty()) {
      strings.put(CLASSES, GSON.toJson(classNames));
    }
    return strings;
  }

  private String ofGroups(Function<Standardizer, double[]> part) {
    return GSON.toJson(groups.standardizers.stream().map(part).toList());
  }

  private record Parser(Path file, Map<String, String> strings) {
    Activation activation() {
      String name = strings.getOrDefault(ACTIVATION, "identity");
      return Arrays.stream(Activation.values())
          .filter(activation -> activation.name().equalsIgnoreCase(name))
          .findFirst()
          .orElseThrow(() -> invalid(ACTIVATION, "no activation is called '" + name + "'", null));
    }

    Loss loss() {
      String name = strings.getOrDefault(LOSS, "mse");
      Loss.Kind kind =
          Arrays.stream(Loss.Kind.values())
              .filter(known -> known.name().replace('_', '-').equalsIgnoreCase(name))
              .findFirst()
              .orElseThrow(() -> invalid(LOSS, "no loss is called '" + name + "'", null));
      if (kind != Loss.Kind.HUBER) {
        return new Loss(kind, 1);
      }
      try {
        return Loss.huber(Double.parseDouble(strings.getOrDefault(HUBER_DELTA, "1")));
      } catch (IllegalArgumentException e) {
        throw invalid(HUBER_DELTA, "must be a number above 0", e);
      }
    }

    Standardizer standardizer() {
      if (Stream.of(X_MEAN, X_SCALE, Y_MEAN, Y_SCALE).noneMatch(strings::containsKey)) {
        return null;
      }
      double[] xMean = numbers(X_MEAN);
      double[] xScale = numbers(X_SCALE);
      double[] yMean = numbers(Y_MEAN);
      double[] yScale = numbers(Y_SCALE);
      try {
        return new Standardizer(xMean, xScale, yMean, yScale);
      } catch (IllegalArgumentException e) {
        throw new InvalidDataException(file, 0, 0, "metadata: " + e.getMessage(), e);
      }
    }

    Groups groups() {
      if (!strings.containsKey(GROUPS)) {
        return null;
      }
      return new Groups(strings.getOrDefault(GROUP_BY, "group"), names(GROUPS), groupStandardizers());
    }

    private List<Standardizer> groupStandardizers() {
      if (!strings.containsKey(X_MEAN)) {
        return List.of();
      }
      double[][] xMean = rows(X_MEAN);
      double[][] xScale = rows(X_SCALE);
      double[][] yMean = rows(Y_MEAN);
      double[][] yScale = rows(Y_SCALE);
      try {
        return IntStream.range(0, xMean.length)
            .mapToObj(g -> new Standardizer(xMean[g], xScale[g], yMean[g], yScale[g]))
            .toList();
      } catch (IllegalArgumentException | ArrayIndexOutOfBoundsException e) {
        throw new InvalidDataException(file, 0, 0, "metadata: the groups' standardizers do not fit: " + e.getMessage(), e);
      }
    }

    private double[][] rows(String key) {
      return array(key, double[][].class, "arrays of numbers, one a group");
    }

    List<String> names(String key) {
      return strings.containsKey(key) ? List.of(array(key, String[].class, "strings")) : List.of();
    }

    private double[] numbers(String key) {
      return Arrays.stream(array(key, Double[].class, "numbers")).mapToDouble(Double::doubleValue).toArray();
    }

    private <T> T[] array(String key, Class<T[]> type, String elements) {
      String problem = "must be a JSON array of " + elements;
      try {
        T[] array = GSON.fromJson(strings.get(key), type);
        if (array == null || Arrays.stream(array).anyMatch(Objects::isNull)) {
          throw invalid(key, problem, null);
        }
        return array;
      } catch (JsonParseException e) {
        throw invalid(key, problem, e);
      }
    }

    private InvalidDataException invalid(String key, String problem, Throwable cause) {
      return new InvalidDataException(file, 0, 0, "metadata " + key + ": " + problem, cause);
    }
  }
}

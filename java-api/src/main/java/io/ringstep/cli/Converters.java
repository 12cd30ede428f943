package io.ringstep.cli;

import io.ringstep.Activation;
import io.ringstep.Communicator;
import io.ringstep.Device;
import io.ringstep.Encoding;
import io.ringstep.Exchange;
import io.ringstep.Loss;
import io.ringstep.Network;
import java.util.Arrays;
import java.util.Locale;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import picocli.CommandLine;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** How the text of an option becomes its value, or one line that says why not. */
final class Converters {
  private Converters() {}

  static CommandLine register(CommandLine commandLine) {
    return commandLine
        .registerConverter(Integer.class, text -> number(text, Integer::valueOf, "a whole number"))
        .registerConverter(Long.class, text -> number(text, Long::valueOf, "a whole number"))
        .registerConverter(double.class, text -> number(text, Double::valueOf, "a number"))
        .registerConverter(long.class, text -> number(text, Long::valueOf, "a whole number"))
        .registerConverter(Double.class, text -> number(text, Double::valueOf, "a number"))
        .registerConverter(Activation.class, text -> word(text, Activation.values()))
        .registerConverter(Encoding.class, text -> word(text, Encoding.values()))
        .registerConverter(
            OptimizerOptions.Kind.class, text -> word(text, OptimizerOptions.Kind.values()))
        .registerConverter(Loss.Kind.class, text -> word(text, Loss.Kind.values()))
        .registerConverter(
            ScheduleOptions.Kind.class, text -> word(text, ScheduleOptions.Kind.values()))
        .registerConverter(Communicator.Backend.class, text -> word(text, Communicator.Backend.values()))
        .registerConverter(Communicator.Reduction.class, text -> word(text, Communicator.Reduction.values()))
        .registerConverter(Network.class, Converters::network)
        .registerConverter(Exchange.class, text -> explained(() -> Exchange.parse(text)))
        .registerConverter(Device.class, Converters::device);
  }

  /** Any 64 bits, written as a signed or an unsigned number. */
  static final class Seed implements ITypeConverter<Long> {
    @Override
    public Long convert(String text) {
      return number(
          text,
          text.startsWith("-") ? Long::valueOf : Long::parseUnsignedLong,
          "a whole number of 64 bits");
    }
  }

  private static <T> T number(String text, Function<String, T> parse, String kind) {
    try {
      return parse.apply(text.strip());
    } catch (NumberFormatException e) {
      throw new TypeConversionException("'" + text + "' is not " + kind);
    }
  }

  private static <E extends Enum<E>> E word(String text, E[] values) {
    return Arrays.stream(values)
        .filter(value -> name(value).equalsIgnoreCase(text))
        .findFirst()
        .orElseThrow(
            () -> new TypeConversionException("'" + text + "' is none of " + names(values)));
  }

  private static String names(Enum<?>[] values) {
    return Arrays.stream(values)
        .map(Converters::name)
        .collect(Collectors.joining(", "));
  }

  private static String name(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  private static Network network(String text) {
    int[] sizes =
        Arrays.stream(text.split(",", -1))
            .mapToInt(size -> number(size, Integer::valueOf, "a width; give whole numbers, as in 10,20,1"))
            .toArray();
    return explained(() -> Network.of(sizes));
  }

  private static Device device(String text) {
    return explained(() -> Device.parse(text));
  }

  /** What the API says of a bad argument is what the user should read. */
  private static <T> T explained(Supplier<T> value) {
    try {
      return value.get();
    } catch (IllegalArgumentException e) {
      throw new TypeConversionException(e.getMessage());
    }
  }
}

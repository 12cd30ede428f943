package io.ringstep.cli;

import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** How to start another JVM like this one. */
final class JvmCommand {
  private static final String PROCESSORS = "-XX:ActiveProcessorCount=";

  private JvmCommand() {}

  /**
   * The command, up to the program's arguments.
   *
   * @param processors that the JVM may think it has
   */
  static List<String> of(Class<?> main, int processors) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    List<String> options = ManagementFactory.getRuntimeMXBean().getInputArguments();
    command.addAll(options);
    if (options.stream().noneMatch(option -> option.startsWith(PROCESSORS))) {
      command.add(PROCESSORS + processors);
    }
    if (main.getModule().isNamed()) {
      command.addAll(List.of("-p", System.getProperty("jdk.module.path")));
      command.addAll(List.of("-m", main.getModule().getName() + "/" + main.getName()));
    } else {
      command.addAll(List.of("-cp", System.getProperty("java.class.path"), main.getName()));
    }
    return command;
  }
}

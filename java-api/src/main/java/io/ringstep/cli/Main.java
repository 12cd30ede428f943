package io.ringstep.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.ScopeType;

/** The command {@code ringstep}. */
@Command(
    name = "ringstep",
    description = "Trains small neural networks fast.",
    mixinStandardHelpOptions = true,
    versionProvider = Versions.class,
    scope = ScopeType.INHERIT,
    sortOptions = false,
    synopsisSubcommandLabel = "COMMAND",
    subcommands = {
      TrainCommand.class, PredictCommand.class, CompressCommand.class, SweepCommand.class, LaunchCommand.class,
      SmokeCommand.class, BenchCommand.class, InfoCommand.class
    },
    commandListHeading = "%nCommands:%n",
    optionListHeading = "%nOptions:%n",
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {"0:done", "1:the work failed", "2:the call or the input is wrong"})
public final class Main implements Action {
  private static final int HELP_WIDTH = 100;
  private static final String VERBOSE = "--verbose";

  @Option(
      names = VERBOSE,
      scope = ScopeType.INHERIT,
      description = "Show the stack trace of a failure.")
  private boolean verbose;

  Main() {}

  /** Runs a command and ends the process. */
  public static void main(String[] args) {
    Orphan.watch(System.in, System.err);
    System.exit(run(new Console(new FileOutputStream(FileDescriptor.out), System.err), args));
  }

  /** Runs a command within this process. */
  static int run(Console console, String... args) {
    Main main = new Main();
    CommandLine ringstep = parser(main, console);
    OneLineErrors errors = new OneLineErrors(console.err());
    CommandLine command = ringstep;
    try {
      ParseResult parsed = ringstep.parseArgs(args);
      Integer helped = CommandLine.executeHelpRequest(parsed);
      if (helped != null) {
        return helped;
      }
      command = parsed.asCommandLineList().get(parsed.asCommandLineList().size() - 1);
      requireOnce(command);
      return command.<Action>getCommand().run(console);
    } catch (Throwable failure) {
      // Parsing may have failed before it came to the option.
      boolean verbose = main.verbose || List.of(args).contains(VERBOSE);
      return errors.report(failure, command, verbose);
    }
  }

  /** In option groups the parser lets repetitions pass, and forgets the group's other options. */
  private static void requireOnce(CommandLine command) {
    Set<OptionSpec> seen = new HashSet<>();
    for (OptionSpec option : command.getParseResult().matchedOptions()) {
      if (!seen.add(option) && !option.isMultiValue()) {
        throw new ParameterException(
            command, "option '" + option.longestName() + "' is given twice; give it once");
      }
    }
  }

  private static CommandLine parser(Main main, Console console) {
    return Converters.register(new CommandLine(main))
        .setOut(new PrintWriter(console.out(), true, StandardCharsets.UTF_8))
        .setErr(new PrintWriter(console.err(), true))
        .setUsageHelpWidth(HELP_WIDTH)
        .setExpandAtFiles(false);
  }

  @Override
  public int run(Console console) {
    throw new UsageException("name a command; 'ringstep --help' lists them");
  }
}

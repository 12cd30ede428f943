package io.ringstep.cli;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Command;

/** {@code ringstep smoke}: whether this machine, its drivers and this build work together. */
@Command(
    name = "smoke",
    description = {
      "Checks every device, kernel and collective of this machine against the reference, in less than"
          + " half a minute, and prints a table of PASS, FAIL and SKIP with the reason.",
      "Exit code 1 if anything failed."
    },
    optionListHeading = "%nOptions:%n")
final class SmokeCommand implements Action {
  @Override
  public int run(Console console) throws IOException {
    List<SmokeCheck> checks = new ArrayList<>();
    checks.addAll(CpuChecks.all());
    checks.addAll(CudaChecks.all());
    checks.addAll(CollectiveChecks.all());
    int[] counts = new int[SmokeCheck.Outcome.values().length];
    for (SmokeCheck check : checks) {
      SmokeCheck.Result result = check.run();
      counts[result.outcome().ordinal()]++;
      console.println(String.format("%-5s %-34s %s", result.outcome(), check.name(), result.detail()));
    }
    console.println(
        String.format(Locale.ROOT, "%d passed, %d failed, %d skipped", counts[0], counts[1], counts[2]));
    return counts[1] == 0 ? ExitCode.DONE : ExitCode.FAILED;
  }
}

package io.ringstep.internal.rendezvous;

import java.util.List;
import java.util.Map;

/** A port that all ranks of a job come to by themselves, and other jobs rarely. */
final class JobPort {
  /** Below the ports that Linux gives to outgoing connections. */
  private static final int FIRST = 20_000;

  private static final int COUNT = 12_000;

  /** What the ranks of one job have in common, and other jobs have not. */
  private static final List<String> NAMES = List.of("PMIX_NAMESPACE", "OMPI_MCA_ess_base_jobid", "SLURM_JOB_ID");

  private JobPort() {}

  static int of(Map<String, String> variables) {
    String job =
        NAMES.stream()
            .filter(variables::containsKey)
            .findFirst()
            .map(name -> name + variables.get(name) + variables.getOrDefault("SLURM_STEP_ID", ""))
            // The ranks of one host are children of one process of the launcher's.
            .orElseGet(() -> ProcessHandle.current().parent().map(ProcessHandle::pid).orElse(0L).toString());
    return FIRST + Math.floorMod(job.hashCode() * 0x9E3779B1, COUNT);
  }
}

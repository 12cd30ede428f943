package io.ringstep.cli;

import io.ringstep.Backends;
import io.ringstep.Communicator;
import io.ringstep.Device;
import io.ringstep.internal.CudaLibrary;
import io.ringstep.internal.NcclLibrary;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;

/** What {@code ringstep smoke} checks of ranks: threads of this process, on the CPU and on its GPUs. */
final class CollectiveChecks {
  /** More than there may be processors, and no power of two. */
  private static final int FEWEST_THREADS = 3;

  private static final int MOST_THREADS = 8;
  private static final int CPU_MEGABYTES = 16;
  private static final int CPU_STEP_ROWS = 1 << 16;
  private static final int GPU_MEGABYTES = 256;
  private static final int GPU_STEP_ROWS = 1 << 20;

  private CollectiveChecks() {}

  static List<SmokeCheck> all() {
    List<SmokeCheck> checks = new ArrayList<>();
    int processors = Math.min(MOST_THREADS, Runtime.getRuntime().availableProcessors());
    List<Device> cpus = Collections.nCopies(Math.max(FEWEST_THREADS, processors), Device.cpu(1));
    RankChecks threads = new RankChecks("threads", cpus, Communicator.Backend.LOCAL, CPU_MEGABYTES, CPU_STEP_ROWS);
    add(checks, "collective: ", threads, CPU_MEGABYTES);
    checks.add(new SmokeCheck("collective: training on the CPU", threads::training));
    checks.add(
        new SmokeCheck(
            "collective: scaling on the CPU",
            () ->
                new RankChecks(
                        "threads", cpus.subList(0, Math.max(1, processors)), Communicator.Backend.LOCAL, CPU_MEGABYTES,
                        CPU_STEP_ROWS)
                    .scaling()));
    add(checks, "tcp: ", new RankChecks("ranks", cpus, Communicator.Backend.TCP, CPU_MEGABYTES, CPU_STEP_ROWS), CPU_MEGABYTES);
    String unavailable = CudaLibrary.unavailable();
    checks.addAll(gpus(unavailable, unavailable == null ? Backends.cudaDevices().size() : 0));
    return checks;
  }

  private static void add(List<SmokeCheck> checks, String name, RankChecks ranks, int megabytes) {
    checks.add(new SmokeCheck(name + "all-reduce", ranks::allReduce));
    checks.add(new SmokeCheck(name + "latency at 1 KB", ranks::latency));
    checks.add(new SmokeCheck(name + "bandwidth at " + megabytes + " MB", ranks::bandwidth));
  }

  /**
   * What several GPUs are checked for; all skipped where there are not several.
   *
   * @param unavailable why there is no GPU; null where there is
   */
  static List<SmokeCheck> gpus(String unavailable, int count) {
    List<Device> devices = IntStream.range(0, count).mapToObj(Device::cuda).toList();
    RankChecks nccl = new RankChecks("GPUs", devices, Communicator.Backend.NCCL, GPU_MEGABYTES, GPU_STEP_ROWS);
    List<SmokeCheck> checks = new ArrayList<>();
    checks.add(new SmokeCheck("gpus: topology", () -> count + " GPUs"));
    for (int device = 0; device < count; device++) {
      for (int peer = 0; peer < count; peer++) {
        if (device != peer) {
          int from = device;
          int to = peer;
          checks.add(new SmokeCheck("gpus: cuda:" + from + " to cuda:" + to, () -> CudaLibrary.peerDescription(from, to)));
        }
      }
    }
    checks.add(new SmokeCheck("gpus: nccl", () -> ofNccl(() -> "version " + NcclLibrary.version())));
    checks.add(new SmokeCheck("gpus: all-reduce", () -> ofNccl(nccl::allReduce)));
    checks.add(new SmokeCheck("gpus: latency at 1 KB", () -> ofNccl(nccl::latency)));
    checks.add(new SmokeCheck("gpus: bandwidth at " + GPU_MEGABYTES + " MB", () -> ofNccl(nccl::bandwidth)));
    checks.add(new SmokeCheck("gpus: training over nccl", () -> ofNccl(nccl::training)));
    checks.add(new SmokeCheck("gpus: scaling over nccl", () -> ofNccl(nccl::scaling)));
    checks.add(
        new SmokeCheck(
            "gpus: training by way of the host",
            () -> new RankChecks("GPUs", devices, Communicator.Backend.LOCAL, GPU_MEGABYTES, GPU_STEP_ROWS).training()));
    String reason = unavailable != null ? unavailable : "it takes two GPUs, and there is one";
    return count > 1 ? checks : checks.stream().map(check -> skipped(check, reason)).toList();
  }

  private static SmokeCheck skipped(SmokeCheck check, String reason) {
    return new SmokeCheck(
        check.name(),
        () -> {
          throw new SmokeCheck.Skip(reason);
        });
  }

  private static String ofNccl(SmokeCheck.Body body) throws Exception {
    String reason = NcclLibrary.unavailable();
    if (reason != null) {
      throw new SmokeCheck.Skip(reason);
    }
    return body.run();
  }
}

package io.ringstep.internal;

import io.ringstep.Rendezvous;
import io.ringstep.engine.Engine;
import io.ringstep.engine.Engine.rs_communicator;
import io.ringstep.engine.Engine.rs_tcp_listener;
import io.ringstep.internal.rendezvous.DeviceClaims;
import io.ringstep.internal.rendezvous.Endpoint;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.IntSupplier;
import java.util.stream.Collectors;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;

/** Makes the engine's communicators of what a rendezvous knows. */
public final class CommunicatorMaker {
  private static final List<String> MPI_LAUNCHERS = List.of("OMPI_COMM_WORLD_SIZE", "PMI_SIZE");

  private static final System.Logger LOG = System.getLogger(CommunicatorMaker.class.getName());

  /** Ranks on one GPU began with 2.30.3. */
  private static final int FIRST_SHARING_NCCL = 23003;

  private CommunicatorMaker() {}

  /**
   * This rank's communicator.
   *
   * @param backend {@code AUTO}, {@code LOCAL}, {@code TCP}, {@code MPI} or {@code NCCL}, the same on every rank
   * @param gpu the number of this rank's GPU; negative where it has none
   */
  public static rs_communicator make(Rendezvous rendezvous, String backend, int gpu) {
    if (!(rendezvous instanceof Endpoint endpoint)) {
      throw new IllegalArgumentException("this Rendezvous was not made by Rendezvous.env, tcp or inProcess");
    }
    rendezvous.agree("collective", Map.of("collective", backend.toLowerCase(Locale.ROOT)));
    boolean automatic = backend.equals("AUTO");
    boolean mpiHere = automatic && !endpoint.isInProcess() && isMpiUsable();
    String claimed = gpu >= 0 ? CudaLibrary.uuid(gpu) : "";
    DeviceClaims.require(rendezvous, claimed, "cuda:" + gpu, mayShare(endpoint));
    String uuid = automatic && gpu >= 0 && NcclLibrary.unavailable() == null ? claimed : "";
    // What one rank cannot use, none may.
    List<String[]> offers =
        rendezvous.allGather("backend", (mpiHere + "\n" + uuid).getBytes(StandardCharsets.UTF_8)).stream()
            .map(offer -> new String(offer, StandardCharsets.UTF_8).split("\n", 2))
            .toList();
    String chosen = automatic ? choose(offers, endpoint.isInProcess()) : backend;
    double deadline = rendezvous.deadline().toMillis() / 1000.0;
    return switch (chosen) {
      case "LOCAL" -> local(rendezvous, endpoint, deadline);
      case "MPI" -> mpi(deadline);
      case "NCCL" -> nccl(rendezvous, gpu, deadline);
      default -> tcp(rendezvous, endpoint, deadline);
    };
  }

  /**
   * The best that all ranks offer, whose claims to GPUs were heard. NCCL lets processes share one, but not threads.
   *
   * @param offers of each rank, whether it has MPI, and the identity of the GPU that it could use NCCL with, or nothing
   */
  static String choose(List<String[]> offers, boolean threads) {
    boolean gpus = offers.stream().noneMatch(offer -> offer[1].isEmpty());
    boolean distinct = offers.stream().map(offer -> offer[1]).distinct().count() == offers.size();
    if (gpus && (distinct || !threads)) {
      return "NCCL";
    }
    return threads ? "LOCAL" : offers.stream().allMatch(offer -> offer[0].equals("true")) ? "MPI" : "TCP";
  }

  /** Whether several ranks may have one GPU, as far as this rank knows. */
  private static boolean mayShare(Endpoint endpoint) {
    return mayShare(
        System.getenv(DeviceClaims.SHARING), endpoint.isInProcess(),
        () -> NcclLibrary.unavailable() == null ? NcclLibrary.versionNumber() : 0);
  }

  /** @param nccl the library's version, or 0 */
  static boolean mayShare(String variable, boolean threads, IntSupplier nccl) {
    return "1".equals(variable) && !threads && nccl.getAsInt() >= FIRST_SHARING_NCCL;
  }

  private static boolean isMpiUsable() {
    return MPI_LAUNCHERS.stream().anyMatch(System.getenv()::containsKey)
        && !Engine.rs_mpi_version().getString().isEmpty();
  }

  /** Rank 0 makes them all, and hands the others theirs. */
  private static rs_communicator local(Rendezvous rendezvous, Endpoint endpoint, double deadline) {
    if (!endpoint.isInProcess()) {
      throw new IllegalArgumentException("local needs ranks that are threads of one process; use tcp or mpi");
    }
    int size = rendezvous.worldSize();
    ByteBuffer addresses = ByteBuffer.allocate(size * Long.BYTES);
    if (rendezvous.rank() == 0) {
      Pointer memory = Native.allocate((long) size * Long.BYTES);
      try {
        PointerPointer<rs_communicator> made = new PointerPointer<>(memory);
        Native.check(Engine.rs_local_communicators_create(size, deadline, made));
        for (int rank = 0; rank < size; rank++) {
          addresses.putLong(made.get(rs_communicator.class, rank).address());
        }
      } finally {
        Pointer.free(memory);
      }
    }
    byte[] all = rendezvous.allGather("local communicators", addresses.array()).get(0);
    long own = ByteBuffer.wrap(all).getLong(rendezvous.rank() * Long.BYTES);
    return new rs_communicator(new Address(own));
  }

  /** A number as a pointer. */
  private static final class Address extends Pointer {
    Address(long address) {
      super((Pointer) null);
      this.address = address;
    }
  }

  private static rs_communicator tcp(Rendezvous rendezvous, Endpoint endpoint, double deadline) {
    rs_tcp_listener listener = new rs_tcp_listener();
    Native.check(Engine.rs_tcp_listener_create(endpoint.hostAddress(), listener));
    byte[] key = endpoint.key();
    Pointer keyMemory = Native.allocate(key.length);
    try {
      String own = endpoint.hostAddress() + " " + Engine.rs_tcp_listener_port(listener);
      String addresses =
          rendezvous.allGather("addresses", own.getBytes(StandardCharsets.UTF_8)).stream()
              .map(address -> new String(address, StandardCharsets.UTF_8))
              .collect(Collectors.joining("\n"));
      keyMemory.capacity(key.length).asByteBuffer().put(key);
      rs_communicator communicator = new rs_communicator();
      Native.check(
          Engine.rs_tcp_communicator_create(
              listener, rendezvous.rank(), rendezvous.worldSize(), addresses, keyMemory, key.length, deadline,
              communicator));
      return communicator;
    } finally {
      Pointer.free(keyMemory);
      Engine.rs_tcp_listener_destroy(listener);
    }
  }

  /** Rank 0's id tells the others where to find it. All ranks are refused before one of them starts to wait in NCCL. */
  private static rs_communicator nccl(Rendezvous rendezvous, int gpu, double deadline) {
    if (gpu < 0) {
      throw new IllegalArgumentException("nccl needs a GPU for each rank; use --device cuda, or auto, mpi or tcp");
    }
    CudaLibrary.require();
    NcclLibrary.require();
    if (!NcclLibrary.hasWindows()) {
      LOG.log(
          System.Logger.Level.DEBUG,
          () -> "NCCL " + NcclLibrary.version() + " has no windows of memory, as 2.27 has: sums take copies");
    }
    byte[] own = rendezvous.rank() == 0 ? NcclLibrary.uniqueId() : new byte[0];
    byte[] id = rendezvous.allGather("nccl id", own).get(0);
    Pointer memory = Native.allocate(id.length);
    try {
      memory.capacity(id.length).asByteBuffer().put(id);
      rs_communicator communicator = new rs_communicator();
      Native.check(
          Engine.rs_nccl_communicator_create(
              memory, gpu, rendezvous.rank(), rendezvous.worldSize(), deadline, communicator));
      return communicator;
    } finally {
      Pointer.free(memory);
    }
  }

  private static rs_communicator mpi(double deadline) {
    rs_communicator communicator = new rs_communicator();
    Native.check(Engine.rs_mpi_communicator_create(deadline, communicator));
    return communicator;
  }
}

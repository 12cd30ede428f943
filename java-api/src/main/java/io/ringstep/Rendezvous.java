package io.ringstep;

import io.ringstep.internal.rendezvous.Environment;
import io.ringstep.internal.rendezvous.HostPort;
import io.ringstep.internal.rendezvous.LocalRendezvous;
import io.ringstep.internal.rendezvous.TcpRendezvous;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Where the ranks of a job meet: it tells each its rank and the world size, passes small values
 * between them, and carries the news when one of them fails. Gradients do not go this way.
 *
 * <p>A failure anywhere is final and everybody's: whatever waits here, on any rank, throws a {@link
 * CollectiveException} that names the rank to blame, and so does every later call. Nothing waits
 * longer than the {@link #deadline()}.
 *
 * <p>Any thread may call any method. The ranks must make the same calls to {@link #allGather}, {@link
 * #barrier} and {@link #agree}, by name and in number.
 */
public interface Rendezvous extends AutoCloseable {
  /** How long is waited for a rank where nothing else is said. */
  Duration DEFAULT_DEADLINE = Duration.ofSeconds(60);

  /** Longest value, in bytes. */
  int MAX_VALUE_BYTES = 1 << 20;

  /**
   * Joins the job that the environment describes, and waits for all ranks: one started by {@code
   * ringstep launch}, torchrun, a Kubeflow PyTorchJob, Slurm's {@code srun}, Open MPI's or MPICH's
   * {@code mpirun}. Of several that are there, the first in this order counts:
   *
   * <ol>
   *   <li>{@code RANK}, {@code WORLD_SIZE}, {@code LOCAL_RANK} (ringstep launch, torchrun, Kubeflow)
   *   <li>{@code OMPI_COMM_WORLD_RANK}, {@code OMPI_COMM_WORLD_SIZE}, {@code
   *       OMPI_COMM_WORLD_LOCAL_RANK}
   *   <li>{@code PMI_RANK}, {@code PMI_SIZE}, {@code MPI_LOCALRANKID}
   *   <li>{@code SLURM_PROCID}, {@code SLURM_NTASKS}, {@code SLURM_LOCALID}
   * </ol>
   *
   * <p>The address is {@code RINGSTEP_RENDEZVOUS} (host:port), else {@code MASTER_ADDR} and {@code
   * MASTER_PORT} (the port after it where torchrun's own store has that one), else for Slurm the first host of the node list, and for MPI on one host the loopback
   * address, both with a port derived from the job. {@code RINGSTEP_SECRET} is the job's secret, which
   * only a job on the loopback address may be without; {@code RINGSTEP_DEADLINE} its deadline in
   * seconds.
   *
   * @throws IllegalArgumentException if there is no such job, or the variables are incomplete or
   *     contradict each other; the message names them
   * @throws CollectiveException if the ranks do not come together
   */
  static Rendezvous env() {
    return Environment.of(System.getenv()).join();
  }

  /**
   * Joins a job, and waits for all ranks. Rank 0 listens at {@code address}, on that host's address
   * alone, so {@code localhost:PORT} is out of reach of other hosts; the others connect to it, and
   * try until the deadline.
   *
   * @param address {@code host:port}, the same on every rank; IPv6 as {@code [::1]:port}
   * @param rank from 0 to {@code worldSize} − 1, each of them once
   * @param worldSize number of ranks
   * @param secret of the job, the same on every rank; it never travels. Empty is allowed for a
   *     loopback address alone.
   * @param deadline how long to wait for a rank; at least 1 s. A rank that is not heard of for half of
   *     it has failed.
   * @throws RingstepException if the port is taken, or the address is unknown
   * @throws CollectiveException if the ranks do not come together
   */
  static Rendezvous tcp(String address, int rank, int worldSize, String secret, Duration deadline) {
    return TcpRendezvous.join(HostPort.parse(address), rank, worldSize, secret, deadline);
  }

  /**
   * A job of threads of this process, with the default deadline. Element r is rank r's, for a thread
   * of its own.
   *
   * @param worldSize number of ranks
   */
  static List<Rendezvous> inProcess(int worldSize) {
    return inProcess(worldSize, DEFAULT_DEADLINE);
  }

  /**
   * A job of threads of this process.
   *
   * @param worldSize number of ranks
   * @param deadline how long to wait for a rank
   * @see #inProcess(int)
   */
  static List<Rendezvous> inProcess(int worldSize, Duration deadline) {
    return LocalRendezvous.create(worldSize, deadline);
  }

  /** This rank, from 0 to {@link #worldSize()} − 1. */
  int rank();

  /** Number of ranks. */
  int worldSize();

  /** This rank's number on its host, which chooses its GPU; the rank itself where it is not known. */
  int localRank();

  /** How long anything waits for a rank; engines that move gradients use it too. */
  Duration deadline();

  /** Which start of the group this is: 0, or how often {@code launch --max-restarts} restarted it. */
  int attempt();

  /**
   * Makes {@code value} known to all ranks under {@code key}, for good.
   *
   * @param key not used before, at most 256 characters
   * @param value at most {@link #MAX_VALUE_BYTES}
   */
  void put(String key, byte[] value);

  /** Waits until a rank has {@link #put} a value under {@code key}; the value. */
  byte[] get(String key);

  /**
   * Waits until every rank has called this with {@code name}; their values, by rank.
   *
   * @param name may be used again
   * @param value at most {@link #MAX_VALUE_BYTES}, which also bounds all values together
   */
  List<byte[]> allGather(String name, byte[] value);

  /** Waits until every rank has called this with {@code name}. */
  default void barrier(String name) {
    allGather(name, new byte[0]);
  }

  /**
   * Waits until every rank has called this with {@code name}, and compares what they say.
   *
   * @param facts such as {@code batch} → {@code 32}
   * @throws RankMismatchException on every rank, if any differs from rank 0; it names that rank, the
   *     fact and both values
   */
  void agree(String name, Map<String, String> facts);

  /**
   * Tells all ranks that this one gives up: each gets a {@link RankFailedException} with {@code
   * reason}. Does not wait; the first failure of a job is the one that counts.
   */
  void abort(String reason);

  /**
   * Tells all ranks of a failure that this one has seen elsewhere, such as in a connection that
   * carries gradients, and waits briefly for the verdict: who was seen to fail first may be a victim
   * himself.
   *
   * @param seen what this rank would throw if it knew no better
   * @return what every rank throws, to be thrown by the caller
   */
  CollectiveException report(CollectiveException seen);

  /**
   * Calls {@code listener} once, from a thread of the rendezvous, as soon as the job fails, or now if
   * it has. It is to end every wait for other ranks at once, for instance by aborting a collective
   * under way, and must not block or throw. Failures after {@link #close()} are not told.
   */
  void onFailure(Consumer<CollectiveException> listener);

  /** The failure of the job, if it has failed: what every call throws from now on. */
  Optional<CollectiveException> failure();

  /**
   * Leaves the job in good order, and ends all threads and sockets of this rank. Rank 0, where it
   * holds the rendezvous for the others, waits for them to leave, at most for the deadline. A rank
   * that ends without it has failed.
   */
  @Override
  void close();
}

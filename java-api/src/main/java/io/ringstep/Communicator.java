package io.ringstep;

import io.ringstep.engine.Engine;
import io.ringstep.engine.Engine.rs_communicator;
import io.ringstep.internal.CommunicatorMaker;
import io.ringstep.internal.CudaLibrary;
import io.ringstep.internal.Native;
import io.ringstep.internal.NativeHandle;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import org.bytedeco.javacpp.Pointer;

/**
 * Sums values across the ranks of a job. A {@link Trainer} that has one trains as one of its ranks:
 * {@link Trainer.Builder#communicator}.
 *
 * <p>All ranks make the same calls in the same order, each from one thread at a time; {@link #abort} may
 * come from any thread. No call waits longer for a rank than the rendezvous's deadline. The first failure
 * is final: a {@link CollectiveException}, the same on every rank.
 */
public final class Communicator implements AutoCloseable {
  private final Rendezvous rendezvous;
  private final NativeHandle<rs_communicator> handle;
  private final String name;

  /** What carries the values. */
  public enum Backend {
    /**
     * The best that the job offers: NCCL where every rank names a GPU of its own and has it, else threads' memory, else
     * MPI where mpirun started the ranks, else TCP.
     */
    AUTO,
    /** The memory that threads of one process share. */
    LOCAL,
    /** Sockets: nothing need be installed. */
    TCP,
    /** The system's Open MPI or MPICH. */
    MPI,
    /** NVIDIA's NCCL, for trainers on GPUs. */
    NCCL
  }

  /** How gradients are summed across ranks. */
  public enum Reduction {
    /** Exactly: parameters have the same bits for any number of ranks. */
    EXACT,
    /** As floats: fewer bytes travel, but the last bits depend on the number of ranks. */
    FLOAT
  }

  private Communicator(Rendezvous rendezvous, rs_communicator created) {
    this.rendezvous = rendezvous;
    this.handle = new NativeHandle<>(this, "Communicator", created, Engine::rs_communicator_destroy);
    this.name = Engine.rs_communicator_name(created).getString();
    rendezvous.onFailure(this::abortFor);
  }

  /** Connects the ranks of {@code rendezvous} by {@link Backend#AUTO}. */
  public static Communicator of(Rendezvous rendezvous) {
    return of(rendezvous, Backend.AUTO);
  }

  /**
   * Connects the ranks of a job; waits for all of them. The rendezvous stays the caller's to close, after
   * this; its failures are this one's and the other way about.
   *
   * @param rendezvous one that {@link Rendezvous} made
   * @throws CollectiveException if they do not come together
   */
  public static Communicator of(Rendezvous rendezvous, Backend backend) {
    return of(rendezvous, backend, Device.cpu());
  }

  /**
   * The same for ranks that will train on {@code device}, each on its own.
   *
   * @param device for {@link Backend#NCCL} a GPU, the one that this rank's trainers get too
   * @throws CollectiveException if they do not come together
   * @throws RankMismatchException if two ranks that want NCCL name one GPU
   * @throws CudaException if the GPU cannot be used
   */
  public static Communicator of(Rendezvous rendezvous, Backend backend, Device device) {
    Objects.requireNonNull(backend, "backend");
    Native.require();
    try {
      return new Communicator(rendezvous, CommunicatorMaker.make(rendezvous, backend.name(), gpu(device)));
    } catch (CollectiveException e) {
      throw rendezvous.report(e);
    }
  }

  private static int gpu(Device device) {
    if (device.engine() != Device.Engine.CUDA) {
      return -1;
    }
    CudaLibrary.require();
    if (device.ordinals().length > 1) {
      throw new IllegalArgumentException("device " + device + ": a rank has one GPU");
    }
    return device.ordinals()[0];
  }

  /** {@code local}, {@code tcp}, {@code mpi} or {@code nccl}. */
  public String name() {
    return name;
  }

  /** This rank. */
  public int rank() {
    return rendezvous.rank();
  }

  /** Number of ranks. */
  public int worldSize() {
    return rendezvous.worldSize();
  }

  /** Where the ranks met. */
  public Rendezvous rendezvous() {
    return rendezvous;
  }

  /**
   * Replaces each value by its sum over all ranks: the same bits on every rank, but in an order that
   * depends on their number.
   *
   * @param values of one length on all ranks
   */
  public void allReduce(float[] values) {
    call(ranks -> Engine.rs_communicator_all_reduce_floats(ranks, values, values.length));
  }

  /**
   * Replaces {@code bytes} by those of {@code root}.
   *
   * @param bytes of one length on all ranks
   */
  public void broadcast(byte[] bytes, int root) {
    Pointer memory = Native.allocate(Math.max(1, bytes.length));
    try {
      memory.capacity(bytes.length).asByteBuffer().put(bytes);
      call(ranks -> Engine.rs_communicator_broadcast(ranks, memory, bytes.length, root));
      memory.capacity(bytes.length).asByteBuffer().get(bytes);
    } finally {
      Pointer.free(memory);
    }
  }

  /**
   * Every rank's bytes, in the order of the ranks.
   *
   * @param bytes of any length, which may differ between ranks
   */
  public List<byte[]> allGather(byte[] bytes) {
    List<byte[]> all = new ArrayList<>();
    for (int root = 0; root < worldSize(); root++) {
      byte[] length = ByteBuffer.allocate(Integer.BYTES).putInt(bytes.length).array();
      broadcast(length, root);
      byte[] part = root == rank() ? bytes.clone() : new byte[ByteBuffer.wrap(length).getInt()];
      broadcast(part, root);
      all.add(part);
    }
    return all;
  }

  /**
   * How many seconds an all-reduce takes, as a measure of what connects the ranks; all of them call it.
   *
   * @param bytes of floats, at least 4: in the host's memory, or with NCCL in the GPUs'
   * @param sums that are timed, one right behind the other; at least 1
   * @return seconds for one of them; 0 where there is one rank
   */
  public double timeAllReduce(long bytes, long sums) {
    double[] seconds = new double[1];
    call(ranks -> Engine.rs_communicator_time_sums(ranks, bytes, sums, seconds));
    return seconds[0];
  }

  /** Waits until every rank has called it. */
  public void barrier() {
    call(Engine::rs_communicator_barrier);
  }

  /** Ends the call under way and all later ones, on all ranks: this one gives up. From any thread. */
  public void abort(String reason) {
    rendezvous.abort(reason);
    abortFor(new RankFailedException(rank(), "rank " + rank() + " gave up: " + reason));
  }

  /** Leaves the other ranks. No trainer may use it any more. */
  @Override
  public void close() {
    handle.close();
  }

  /** What all ranks throw, given what this one saw. */
  CollectiveException verdict(CollectiveException seen) {
    return rendezvous.report(seen);
  }

  rs_communicator acquire() {
    return handle.acquire();
  }

  void release() {
    handle.release();
  }

  private void abortFor(CollectiveException failure) {
    try {
      rs_communicator ranks = handle.acquire();
      try {
        Engine.rs_communicator_abort(ranks, failure.rank(), failure.getMessage());
      } finally {
        handle.release();
      }
    } catch (IllegalStateException e) {
      // Closed: there is nothing left to end.
    }
  }

  private void call(Function<rs_communicator, Integer> operation) {
    rs_communicator ranks = handle.acquire();
    try {
      Native.check(operation.apply(ranks));
    } catch (CollectiveException e) {
      throw verdict(e);
    } finally {
      handle.release();
    }
  }
}

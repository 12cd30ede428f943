package io.ringstep.internal;

import io.ringstep.CollectiveException;
import io.ringstep.CollectiveTimeoutException;
import io.ringstep.RankFailedException;
import io.ringstep.RankMismatchException;
import io.ringstep.CudaException;
import io.ringstep.CudaFatalException;
import io.ringstep.CudaOutOfMemoryException;
import io.ringstep.RingstepException;
import io.ringstep.engine.Engine;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;

/** The native engine: loaded once, its status codes turned into exceptions. */
public final class Native {
  private static final Throwable FAILURE = load();

  private Native() {}

  private static Throwable load() {
    try {
      Loader.load(Engine.class);
      if (Engine.rs_abi_version() != Engine.RS_ABI_VERSION) {
        return new IllegalStateException(
            "the native library has ABI version " + Engine.rs_abi_version()
                + " but these classes need " + Engine.RS_ABI_VERSION
                + "; use ringstep and ringstep-native of one version");
      }
      return null;
    } catch (LinkageError | RuntimeException e) {
      return e;
    }
  }

  /** Call before anything native. */
  public static void require() {
    if (FAILURE != null) {
      throw new RingstepException(
          "the native engine cannot be loaded on " + Loader.Detector.getPlatform() + " (it is built for linux-x86_64): "
              + reasons(FAILURE),
          FAILURE);
    }
  }

  /** The outer message seldom names the culprit, so all of them are given. */
  static String reasons(Throwable failure) {
    StringBuilder text = new StringBuilder(String.valueOf(failure.getMessage()));
    for (Throwable cause = failure.getCause(); cause != null; cause = cause.getCause()) {
      text.append("; ").append(cause.getMessage());
    }
    return text.toString();
  }

  /** Throws what a status other than RS_OK stands for. */
  public static void check(int status) {
    if (status != Engine.RS_OK) {
      throw failure(status);
    }
  }

  private static RuntimeException failure(int status) {
    String reason = Engine.rs_last_error().getString();
    return switch (status) {
      case Engine.RS_INVALID_ARGUMENT -> new IllegalArgumentException(reason);
      case Engine.RS_COLLECTIVE_TIMEOUT -> new CollectiveTimeoutException(Engine.rs_last_error_rank(), reason);
      case Engine.RS_COLLECTIVE_RANK_LOST -> new RankFailedException(Engine.rs_last_error_rank(), reason);
      case Engine.RS_COLLECTIVE_MISMATCH -> new RankMismatchException(Engine.rs_last_error_rank(), reason);
      case Engine.RS_COLLECTIVE_ABORTED, Engine.RS_COLLECTIVE_FAILED ->
          new CollectiveException(Engine.rs_last_error_rank(), reason);
      case Engine.RS_CUDA -> new CudaException(reason);
      case Engine.RS_CUDA_OUT_OF_MEMORY -> new CudaOutOfMemoryException(reason);
      case Engine.RS_CUDA_FATAL -> new CudaFatalException(reason);
      default -> new RingstepException(reason);
    };
  }

  /**
   * Zeroed memory for a struct or an array, until {@link Pointer#free}.
   *
   * <p>The constructors of JavaCPP's pointers would count the process's memory each time, take our
   * datasets for a leak, and fail.
   */
  public static Pointer allocate(long bytes) {
    Pointer memory = Pointer.calloc(1, bytes);
    if (memory == null || memory.isNull()) {
      throw new RingstepException("out of memory: " + bytes + " bytes for a call of the engine");
    }
    return memory;
  }

  /** Version of the native engine. */
  public static String version() {
    require();
    return Engine.rs_version().getString();
  }

  /** Instruction set of the CPU engine. */
  public static String cpuSimd() {
    require();
    return Engine.rs_cpu_simd().getString();
  }

  /** For example {@code Open MPI v4.1.4}: what the system has; or {@code not found}. */
  public static String mpiVersion() {
    require();
    String version = Engine.rs_mpi_version().getString();
    return version.isEmpty() ? "not found" : version;
  }
}

package io.ringstep.internal;

import java.lang.ref.Cleaner;
import java.util.function.Consumer;
import org.bytedeco.javacpp.Pointer;

/**
 * A native object with one owner: closed by hand, or, with a warning, by the garbage collector when
 * its owner was lost.
 *
 * <p>Where calls may overlap, users are counted, so that {@link #close} waits for those in flight.
 */
public final class NativeHandle<P extends Pointer> implements AutoCloseable {
  private static final Cleaner CLEANER = Cleaner.create();
  private static final System.Logger LOG = System.getLogger("io.ringstep");

  /** With this system property set to true, a leak's warning shows where the object was made. */
  public static final String LEAK_STACKS = "io.ringstep.leakStacks";

  private final String kind;
  private final Resource<P> resource;
  private final Cleaner.Cleanable cleanable;
  private int users;
  private volatile boolean closed;

  /**
   * @param owner the object whose loss is a leak
   * @param kind what the owner is, for messages
   * @param destroy frees the pointer
   */
  public NativeHandle(Object owner, String kind, P pointer, Consumer<P> destroy) {
    this.kind = kind;
    this.resource = new Resource<>(kind, pointer, destroy);
    this.cleanable = CLEANER.register(owner, resource);
  }

  /** The pointer, for an owner whose calls and {@link #close} never overlap. */
  public P get() {
    if (closed) {
      throw new IllegalStateException("this " + kind + " is closed");
    }
    return resource.pointer;
  }

  /** As {@link #get}, as a number. */
  public long address() {
    return get().address();
  }

  /** The pointer, to be used until {@link #release}. */
  public synchronized P acquire() {
    P pointer = get();
    users++;
    return pointer;
  }

  /** Ends what {@link #acquire} began. */
  public synchronized void release() {
    users--;
    if (users == 0) {
      notifyAll();
    }
  }

  /** Waits for calls in flight, then frees. Later calls do nothing. */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    boolean interrupted = false;
    while (users > 0) {
      try {
        wait();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    resource.leaked = false;
    cleanable.clean();
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /** What remains when the owner is gone. It must not refer to the owner. */
  private static final class Resource<P extends Pointer> implements Runnable {
    private final String kind;
    private final P pointer;
    private final Consumer<P> destroy;
    private final Throwable made =
        Boolean.getBoolean(LEAK_STACKS) ? new Throwable("made here") : null;
    private volatile boolean leaked = true;

    Resource(String kind, P pointer, Consumer<P> destroy) {
      this.kind = kind;
      this.pointer = pointer;
      this.destroy = destroy;
    }

    @Override
    public void run() {
      if (leaked) {
        String hint = made == null ? "; -D" + LEAK_STACKS + "=true shows where it was made" : "";
        LOG.log(System.Logger.Level.WARNING, "a " + kind + " was never closed" + hint, made);
      }
      destroy.accept(pointer);
    }
  }
}

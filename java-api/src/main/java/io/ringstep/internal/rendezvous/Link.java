package io.ringstep.internal.rendezvous;

/** How a rank reaches the job it is a member of. */
interface Link {
  /** Passes a message on, without waiting. */
  void send(Message message);

  /** Called now and then while a rank waits. */
  default void tick() {}

  /** A key that all ranks of the job have and nobody else. */
  byte[] key();

  /** Leaves the job in good order, and frees what it holds. Called once. */
  void close();
}

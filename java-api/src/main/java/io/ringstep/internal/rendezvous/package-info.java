/**
 * How ranks find each other and learn of failures.
 *
 * <p>One {@link io.ringstep.internal.rendezvous.Job} holds a job's state and decides who failed. Each
 * rank is a {@link io.ringstep.internal.rendezvous.Member} of it, over a {@link
 * io.ringstep.internal.rendezvous.Link}: a TCP connection to a {@link
 * io.ringstep.internal.rendezvous.RendezvousServer}, or a call within one process.
 */
package io.ringstep.internal.rendezvous;

package io.ringstep.internal.rendezvous;

import io.ringstep.RingstepException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;

/** An address as users write it: {@code host:port}, or {@code [::1]:port}. */
public record HostPort(String host, int port) {
  private static final int MOST = 65535;

  /** Checks the range; port 0 leaves the choice to the system. */
  public HostPort {
    if (host.isEmpty()) {
      throw new IllegalArgumentException("the rendezvous address has no host; write host:port");
    }
    if (port < 0 || port > MOST) {
      throw new IllegalArgumentException("port " + port + " of the rendezvous must be from 1 to " + MOST);
    }
  }

  /**
   * Reads an address.
   *
   * @throws IllegalArgumentException if it is none
   */
  public static HostPort parse(String text) {
    int colon = text.lastIndexOf(':');
    String host = colon < 0 ? "" : text.substring(0, colon);
    boolean bracketed = host.startsWith("[") && host.endsWith("]");
    boolean valid = colon > 0 && (bracketed || host.indexOf(':') < 0);
    try {
      if (valid) {
        return new HostPort(
            bracketed ? host.substring(1, host.length() - 1) : host,
            Integer.parseInt(text.substring(colon + 1)));
      }
    } catch (NumberFormatException e) {
      // The message below covers it.
    }
    throw new IllegalArgumentException("'" + text + "' is not the address of a rendezvous; write host:port");
  }

  /**
   * Looks the host up.
   *
   * @throws RingstepException if it is not known
   */
  InetSocketAddress resolve() {
    try {
      return new InetSocketAddress(InetAddress.getByName(host), port);
    } catch (UnknownHostException e) {
      throw new RingstepException("the host of the rendezvous " + this + " is unknown; check its name", e);
    }
  }

  /** Whether only this host can be meant: {@code localhost} or a number, as Debian's hosts call themselves 127.0.1.1. */
  boolean isLoopback() {
    try {
      boolean absolute = host.equals("localhost") || host.matches("127\\.[0-9.]+") || host.indexOf(':') >= 0;
      return absolute && InetAddress.getByName(host).isLoopbackAddress();
    } catch (UnknownHostException e) {
      return false;
    }
  }

  @Override
  public String toString() {
    return (host.indexOf(':') < 0 ? host : "[" + host + "]") + ":" + port;
  }
}

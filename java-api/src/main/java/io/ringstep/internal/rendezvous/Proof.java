package io.ringstep.internal.rendezvous;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Shows that one knows the job's secret without sending it: HMAC-SHA256 over what both sides have
 * drawn at random, so that no answer can be used again.
 */
final class Proof {
  static final int NONCE_BYTES = 32;

  private static final String ALGORITHM = "HmacSHA256";
  private static final SecureRandom RANDOM = new SecureRandom();

  private final SecretKeySpec key;

  Proof(String secret) {
    // A key must not be empty, but the secret of a job on the loopback address may be.
    key = new SecretKeySpec(("ringstep:" + secret).getBytes(StandardCharsets.UTF_8), ALGORITHM);
  }

  static byte[] nonce() {
    byte[] nonce = new byte[NONCE_BYTES];
    RANDOM.nextBytes(nonce);
    return nonce;
  }

  /**
   * The proof of one side.
   *
   * @param role keeps one side's proof from passing for the other's
   * @param parts what it covers; those of one role have fixed lengths but for the last
   */
  byte[] of(String role, byte[]... parts) {
    try {
      Mac mac = Mac.getInstance(ALGORITHM);
      mac.init(key);
      mac.update(role.getBytes(StandardCharsets.UTF_8));
      for (byte[] part : parts) {
        mac.update(part);
      }
      return mac.doFinal();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every JDK has " + ALGORITHM, e);
    }
  }

  /** Whether {@link #of} gives {@code proof}; takes as long wherever they differ. */
  boolean matches(byte[] proof, String role, byte[]... parts) {
    return MessageDigest.isEqual(proof, of(role, parts));
  }
}

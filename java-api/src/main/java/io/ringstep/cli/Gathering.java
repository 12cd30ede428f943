package io.ringstep.cli;

import io.ringstep.Communicator;
import java.nio.ByteBuffer;
import java.util.stream.DoubleStream;

/** Values that every rank has some of. */
final class Gathering {
  private Gathering() {}

  /** All ranks' values, those of rank 0 first. */
  static double[] doubles(Communicator ranks, double[] own) {
    ByteBuffer bytes = ByteBuffer.allocate(own.length * Double.BYTES);
    bytes.asDoubleBuffer().put(own);
    return ranks.allGather(bytes.array()).stream()
        .flatMapToDouble(part -> DoubleStream.generate(ByteBuffer.wrap(part)::getDouble).limit(part.length / Double.BYTES))
        .toArray();
  }
}

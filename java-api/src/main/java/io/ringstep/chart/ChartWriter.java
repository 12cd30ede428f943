package io.ringstep.chart;

import java.io.IOException;
import java.io.OutputStream;
import java.util.Optional;
import java.util.ServiceLoader;

/** Draws charts and writes reports. Found by {@link ServiceLoader}. */
public interface ChartWriter {
  /** What a chart can be written as. */
  enum Format {
    /** Sharp at any size. */
    SVG,
    /** Pixels. */
    PNG
  }

  /** Writes a chart; the stream stays open. */
  void write(Chart chart, Format format, OutputStream out) throws IOException;

  /** Writes one HTML page that needs no other file; the stream stays open. */
  void write(Report report, OutputStream out) throws IOException;

  /** The one on the class path or module path, if any. */
  static Optional<ChartWriter> find() {
    return ServiceLoader.load(ChartWriter.class).findFirst();
  }
}

/** Trains small neural networks fast, from Java. */
module io.ringstep {
  requires java.management;
  requires io.ringstep.engine;
  requires org.bytedeco.javacpp;
  requires de.siegmar.fastcsv;
  requires com.google.gson;
  requires static org.bytedeco.cuda;
  requires static info.picocli;
  requires static me.tongfei.progressbar;

  exports io.ringstep;
  exports io.ringstep.chart;

  uses io.ringstep.chart.ChartWriter;

  opens io.ringstep.cli to
      info.picocli;
}

/** The native engine's binding: internal, for {@code io.ringstep} alone. */
module io.ringstep.engine {
  requires transitive org.bytedeco.javacpp;

  exports io.ringstep.engine to
      io.ringstep;
}

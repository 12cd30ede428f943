package io.ringstep.engine;

import org.bytedeco.javacpp.annotation.NoException;
import org.bytedeco.javacpp.annotation.Platform;
import org.bytedeco.javacpp.annotation.Properties;
import org.bytedeco.javacpp.tools.Info;
import org.bytedeco.javacpp.tools.InfoMap;
import org.bytedeco.javacpp.tools.InfoMapper;

/** How JavaCPP turns ringstep.h into the class {@code Engine}. */
@Properties(
    value =
        @Platform(
            value = "linux-x86_64",
            compiler = "cpp17",
            include = "ringstep.h",
            link = "ringstep-engine#",
            library = "jniringstep"),
    target = "io.ringstep.engine.Engine")
@NoException
public class EngineConfig implements InfoMapper {
  @Override
  public void map(InfoMap infoMap) {
    infoMap.put(new Info("RS_API").cppTypes().annotations());
  }
}

#include "cpu/isa/small_network.h"

namespace rs::cpu::RS_ISA {

template const SmallNetwork* small_network_for<RS_SIGMOID>(const NetworkView&);

}  // namespace rs::cpu::RS_ISA

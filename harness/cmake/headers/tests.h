// Precompiled: what most tests include.
#pragma once

#include "cmake/headers/standard.h"

#include <gtest/gtest.h>

from funcgrad.optim.adam import Adam as Adam
from funcgrad.optim.sgd import SGD as SGD

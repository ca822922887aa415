// The built-in verification text, written for this purpose: prose, law, numbers, code and dialogue in English and
// Portuguese, so that no single register decides the figures. A change of the text changes the figures of every pack.
#include <array>

#include "model/verify/verify.h"

namespace frugal {
namespace {

constexpr std::array<std::string_view, 16> kTexts{
    "The harbour freezes from the inside out. First the shallow water behind the breakwater turns to slush, then the "
    "channel, and by the second week of January the pilot boat stays on its chains. People who have lived here long "
    "enough can tell the date by the colour of the ice.",

    "A lease may be ended by either party with three months' notice in writing. Where the tenant has paid the "
    "deposit in full, the landlord shall return it within thirty days, less the cost of repairs that go beyond "
    "ordinary wear. Article 14 applies to furnished rooms as well.",

    "O rio sobe devagar durante a noite, e de manhã as canoas amanhecem presas nas raízes. Quem mora na margem aprende "
    "cedo a ler a água: quando ela fica escura e lisa, a chuva já caiu na serra e vai chegar antes do meio-dia.",

    "Art. 12. O prazo para a interposição do recurso é de quinze dias úteis, contados da intimação da decisão. § 1º "
    "Durante o recesso, os prazos ficam suspensos. § 2º A parte que perder o prazo por motivo de força maior poderá "
    "pedir a sua restituição, desde que o faça em cinco dias.",

    "To measure how fast a program starts, run it many times and look at the median, not at the mean: one slow run, "
    "because the disk was busy or another process woke up, moves the mean and leaves the median alone. Then change one "
    "thing, and measure both versions in turn.",

    "Water boils at 100 degrees Celsius at sea level, at about 93 degrees at 2,000 metres, and at 71 degrees on the "
    "summit of the highest mountain. Beans that are soft in two hours on the coast need four in the high valleys.",

    "\"Did you lock the gate?\" she asked. \"I thought you did,\" he said, and both of them turned around at once. The "
    "dog was already halfway down the lane, trotting as if it had an appointment in the village.",

    "A biblioteca abre às oito e fecha às vinte. Os livros de consulta não saem do prédio; os demais podem ser "
    "emprestados por catorze dias, com uma renovação. Quem devolve com atraso paga uma multa de cinquenta centavos por "
    "dia e por volume, até o limite de vinte reais.",

    "def mean(values):\n    if not values:\n        raise ValueError(\"mean of nothing\")\n    return sum(values) / "
    "len(values)\n\nThe function refuses an empty list instead of dividing by zero, so the caller finds out at once "
    "and not three steps later.",

    "In 1987 the town had 4,310 inhabitants and two schools; in 2019 it had 2,875 and one. The railway closed in 1994. "
    "What remains is the cheese factory, which employs 160 people, and a museum in the old station with a model of the "
    "line as it was.",

    "O mel de cada estação tem outra cor. O da primavera, feito das flores da laranjeira, é claro e quase não tem "
    "cheiro; o do outono é espesso, escuro, e cristaliza antes do Natal. Misturá-los é, para o meu avô, uma espécie "
    "de pecado.",

    "The committee considered three proposals. The first was cheap and slow, the second quick and expensive, and the "
    "third, which nobody had expected, was to do nothing for a year and count the accidents. It was adopted by five "
    "votes to four.",

    "Para fazer o pão, misture meio quilo de farinha com trezentos e cinquenta mililitros de água morna, dez gramas de "
    "sal e sete de fermento. Deixe crescer por uma hora, dobre a massa, espere mais quarenta minutos e leve ao forno "
    "bem quente.",

    "Migrating birds steer by several compasses at once: the sun by day, the stars by night, and the field of the "
    "Earth when clouds hide both. Young birds on their first journey fly the right direction; only the old ones "
    "correct for the wind.",

    "São nulos os atos praticados depois do prazo, salvo se o juiz, ouvidas as partes, entender que não houve "
    "prejuízo. A nulidade não se declara a favor de quem lhe deu causa.",

    "Every map leaves something out. A map of the underground leaves out the streets, a map of the streets leaves out "
    "the hills, and a map with everything on it would be as large as the city and of no use to anyone.",
};

}  // namespace

std::vector<std::string_view> verification_texts() {
  return {kTexts.begin(), kTexts.end()};
}

}  // namespace frugal

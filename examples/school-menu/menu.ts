/** What the school can cook, and what is left when one ingredient is to be avoided. */

export const INGREDIENTS = [
  "almond",
  "bean",
  "butter",
  "cheddar",
  "cinnamon",
  "cress",
  "cucumber",
  "egg",
  "flour",
  "lettuce",
  "oil",
  "onion",
  "salt",
  "sugar",
  "tahini",
  "water",
  "yeast"
]

export interface Recipe {
  readonly title: string
  readonly description: string
  readonly ingredients: string
}

const RECIPES: ReadonlyArray<Recipe> = [
  {
    title: "Bean salad with tahini dressing",
    description: "A mouth-watering bean salad served with tahini dressing.",
    ingredients: "cucumber, lettuce, cress, bean, tahini"
  },
  {
    title: "Tahini sandwich with onion relish",
    description: "Tahini and onion relish served between slices of fresh bread.",
    ingredients: "flour, yeast, water, salt, sugar, oil, onion, tahini, butter"
  },
  {
    title: "Cheddar and yeast bread",
    description: "Crunchy bread made with cheddar and fresh yeast.",
    ingredients: "flour, salt, yeast, butter, water, onion, cheddar"
  },
  {
    title: "Almond and cinnamon cake",
    description: "A soft cake with almonds and a little cinnamon.",
    ingredients: "almond, cinnamon, egg, sugar, flour, butter"
  }
]

/** The recipes that do without an ingredient. */
export const menuWithout = (ingredient: string): Array<Recipe> =>
  RECIPES.filter(({ ingredients }) => !ingredients.split(", ").includes(ingredient))
